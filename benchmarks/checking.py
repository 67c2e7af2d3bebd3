"""Asking S3 and comparing with a disk, against programs that do likewise.

Each case runs ours and its peers in turn (A B A B ...), each in a process of its own,
and compares the medians of wall time, CPU seconds and peak memory. The endpoint is on
the same machine and answers out of memory, at once or after a delay as over a long
line.
"""

import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fast_s3 import BUCKET, Objects, serving
from benchmarks.loading import machine, with_section
from benchmarks.peers import PEERS, environment

RUNS = 5
_PROJECT = Path(__file__).parents[1]
_ROUND_TRIP_SECONDS = 0.03
_FAR_SECONDS = 0.1
_SAMPLE = 100

Line = Sequence[str]


@dataclass
class Side:
    """One program in a case, and what its runs took.

    Attributes:
        target: The ratio of ours to it that we aim at; 0 for ours.
    """

    name: str
    line: Line
    target: float = 0.0
    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """The median."""
        return statistics.median(self.walls)


def _ours(*words: str) -> Side:
    program = str(Path(sysconfig.get_path("scripts"), "s3export"))
    return Side("s3export", [program, *words])


def _script(name: str, *words: str, target: float) -> Side:
    return Side(
        name,
        [sys.executable, "-m", "benchmarks.asking", *words],
        target,
    )


def _peers(install: bool) -> Mapping[str, str]:
    found = {peer.program: peer.path(install=install) for peer in PEERS}
    return {name: path for name, path in found.items() if path}


# --- cases ----------------------------------------------------------------------------


def listing(
    url: str, peers: Mapping[str, str], targets: tuple[float, float] = (1 / 6, 0.5)
) -> Iterator[Side]:
    """List all keys, with sizes and ETags.

    Args:
        targets: The ratios to boto3 and to s5cmd.
    """
    to_boto3, to_s5cmd = targets
    yield Side("s3export", [sys.executable, "-m", "benchmarks.asking", "list-ours"])
    yield _script("boto3 paginator", "list-boto3", target=to_boto3)
    if "s5cmd" in peers:
        yield Side(
            "s5cmd ls",
            [peers["s5cmd"], f"--endpoint-url={url}", "ls", "-e", f"s3://{BUCKET}/*"],
            to_s5cmd,
        )


def full_check(peers: Mapping[str, str], tree: Path) -> Iterator[Side]:
    """Compare all files with a bucket, both ways."""
    yield _ours("verify-backup", str(tree), "--bucket", BUCKET, "--sample-size", "all",
                "--json")  # fmt: skip
    if "rclone" in peers:
        yield Side(
            "rclone check --fast-list",
            [peers["rclone"], "check", f"bench:{BUCKET}", str(tree / BUCKET),
             "--fast-list"],
            0.7,
        )  # fmt: skip


def sample(peers: Mapping[str, str], tree: Path, chosen: Path) -> Iterator[Side]:
    """Compare some files of many with their objects."""
    yield _ours("verify-backup", str(tree), "--bucket", BUCKET, "--sample-size",
                str(_SAMPLE), "--no-completeness", "--json")  # fmt: skip
    yield _script("boto3, one after the other", "heads-boto3", str(tree), str(chosen),
                  target=0.2)  # fmt: skip
    if "rclone" in peers:
        yield Side(
            "rclone check --files-from",
            [peers["rclone"], "check", f"bench:{BUCKET}", str(tree / BUCKET),
             "--files-from", str(chosen), "--no-traverse"],
            0.5,
        )  # fmt: skip


# --- running --------------------------------------------------------------------------


def run(sides: Sequence[Side], url: str, where: Path, runs: int) -> None:
    """Run all in turn, so many times."""
    home = where / "home"
    home.mkdir(exist_ok=True)
    errors = where / "errors"
    for _ in range(runs):
        for side in sides:
            errors.write_text("")
            done = subprocess.run(
                [sys.executable, "-I", "-S", _PROJECT / "benchmarks" / "measured.py",
                 where, errors, *side.line],
                env=environment(url, home), cwd=_PROJECT,
                stdout=subprocess.PIPE, check=True, text=True,
            )  # fmt: skip
            took = json.loads(done.stdout)
            if took["code"]:
                told = errors.read_text(errors="replace").strip()[-500:]
                raise RuntimeError(f"{side.name} ended with {took['code']}: {told}")
            side.walls.append(took["wall"])
            side.cpus.append(took["cpu"])
            side.peaks.append(took["peak_kib"])


def rows(case: str, sides: Sequence[Side]) -> Iterator[str]:
    """Yield the lines of a case in the table; a target that is missed is said."""
    ours = sides[0]
    for side in sides:
        cpu, peak = statistics.median(side.cpus), statistics.median(side.peaks)
        ratio = target = ""
        if side is not ours:
            found = ours.wall / side.wall
            ratio = f"{found:.2f}"
            target = f"{side.target:.2f}, {'met' if found <= side.target else 'MISSED'}"
        yield (
            f"| {case} | {side.name} | {side.wall:.2f} | {cpu:.2f} "
            f"| {peak * 1024 / 1e6:,.0f} | {ratio} | {target} |"
        )


def make_tree(objects: Objects, root: Path) -> None:
    """Write what the bucket holds, as a backup of it."""
    for key, content in zip(objects.keys(), objects.contents(), strict=True):
        path = root / BUCKET / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    os.sync()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="s3export-bench-", dir="/var/tmp") as own:
        yield Path(own)


ABOUT = """\
Each program is a process of its own, its start included; all run in turn, five times,
and medians are compared. The endpoint is on the same machine and answers out of memory;
with a delay each answer takes so long, as over a long line. `s3export` hashes the files
with MD5 as rclone does, and looks for every object and every file.
"""


def main(*, quick: bool = False, page: Path | None = None) -> list[str]:
    """Run the cases; print the table, write it to a page, and return its lines."""
    keys, files = (3_000, 300) if quick else (200_000, 100_000)
    runs = 1 if quick else RUNS
    peers = _peers(install=not quick)
    lines = [
        "| case | program | wall, s | CPU, s | peak MB | ours : it | target |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    with _folder() as where:
        with serving(Objects(keys, 0)) as url:
            sides = list(listing(url, peers))
            run(sides, url, where, runs)
            lines += rows(f"list {keys:,} keys", sides)
        with serving(Objects(keys, 0), _FAR_SECONDS) as url:
            sides = list(listing(url, peers, (1 / 6, 1 / 3)))
            run(sides, url, where, runs)
            far = f"{_FAR_SECONDS * 1000:.0f} ms an answer"
            lines += rows(f"list {keys:,} keys, {far}", sides)
        objects = Objects(files, 1000)
        tree = where / "tree"
        make_tree(objects, tree)
        with serving(objects) as url:
            sides = list(full_check(peers, tree))
            run(sides, url, where, runs)
            lines += rows(f"compare all of {files:,} files of 1 KB, both ways", sides)
        chosen = where / "chosen"
        step = max(1, files // _SAMPLE)
        chosen.write_text("\n".join(objects.keys()[::step]) + "\n")
        with serving(objects, _ROUND_TRIP_SECONDS) as url:
            sides = list(sample(peers, tree, chosen))
            run(sides, url, where, runs)
            lines += rows(
                f"compare {_SAMPLE} of {files:,}, {_ROUND_TRIP_SECONDS * 1000:.0f} ms "
                "an answer",
                sides,
            )
    print("\n".join(lines))
    if page:
        text = page.read_text() if page.exists() else ""
        section = "\n".join([f"{machine(Path('/var/tmp'))}.", "", *lines])
        page.write_text(with_section(text, section, "## Checking", ABOUT))
    return lines
