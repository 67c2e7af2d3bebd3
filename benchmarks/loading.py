"""Loading a disk from a fast endpoint, against programs that copy buckets.

All write to the same file system, each into an empty directory; what others left
there is removed and synced before, outside the timed span. The span ends when the file
system is synced: s3export does so itself, the others are followed by ``sync -f``. Every
tree is compared with the source once.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from benchmarks.fast_s3 import BUCKET, Objects, serving
from benchmarks.peers import PEERS, Peer, environment

OURS = "s3export, LoadDevice"
WHOLE = "s3export load-device, whole"
CEILING = "(no client: read, thrown away)"

Case = tuple[Objects, float]
"""What is loaded, and how many seconds each answer takes."""

CASES: tuple[Case, ...] = (
    (Objects(20_000, 10_000), 0),
    (Objects(200, 8_000_000), 0),
    (Objects(3_000, 10_000), 0.03),
)
QUICK_CASES: tuple[Case, ...] = ((Objects(300, 10_000), 0),)

RUNS = 3
_ENOUGH_SECONDS = 20  # a contender that took so long in a case is not run again
_CASE_SECONDS = 180  # after so long in a case, nobody is run again
_PROJECT = Path(__file__).parents[1]
_OURS_ALONE = ("S3EXPORT", "lost+found", "SIGNATURE")
_MANIFEST = f"manifestVersion: 2.0\noperations:\n  - exportBucket: {BUCKET}\n"


@dataclass(frozen=True)
class Contender:
    """A way to load.

    Attributes:
        line: The command line, for a URL and an empty directory.
        below: Where the keys begin below the directory; ``None`` if nothing is written.
        image: It writes a disk image in the directory.
    """

    name: str
    line: Callable[[str, Path], Sequence[str]]
    below: str | None = ""
    image: bool = False


@dataclass
class Runs:
    """What the runs of a contender took."""

    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    trouble: str = ""

    @property
    def wall(self) -> float:
        """The median."""
        return statistics.median(self.walls)

    @property
    def is_enough(self) -> bool:
        """Say whether it is not worth while to run it again."""
        return bool(self.trouble) or sum(self.walls) > _ENOUGH_SECONDS


# --- the contenders -------------------------------------------------------------------


def _ours(objects: Objects) -> Iterator[Contender]:
    yield Contender(
        OURS,
        lambda _, target: [
            sys.executable, "-m", "benchmarks.load_ours", BUCKET, str(target),
        ],
        BUCKET,
    )  # fmt: skip
    if os.geteuid() == 0 and Path("/dev/loop-control").exists():
        yield Contender(WHOLE, _whole_line(objects), BUCKET, image=True)
    yield Contender(
        CEILING,
        lambda url, _: [
            sys.executable, "-m", "benchmarks.read_only", url,
            str(objects.count), str(objects.size_bytes),
        ],
        None,
    )  # fmt: skip


def _whole_line(objects: Objects) -> Callable[[str, Path], Sequence[str]]:
    def line(_: str, target: Path) -> Sequence[str]:
        manifest, image = target / "manifest.yml", target / "disk.img"
        manifest.write_text(_MANIFEST)
        with image.open("wb") as file:
            file.truncate(_room(objects))
        program = Path(sysconfig.get_path("scripts"), "s3export")
        return [str(program), "load-device", str(manifest), str(image),
                "--encrypt=none", f"--confirm-device={image}"]  # fmt: skip

    return line


def _of_peer(peer: Peer, path: str) -> Iterator[Contender]:
    for name, rest in peer.variants.items():

        def line(
            url: str, target: Path, rest: Callable[..., list[str]] = rest
        ) -> list[str]:
            return [path, *rest(url, BUCKET, str(target))]

        yield Contender(name, line)


# --- one run --------------------------------------------------------------------------


def measure(contender: Contender, url: str, objects: Objects, runs: Runs, where: Path,
            *, compare: bool) -> None:  # fmt: skip
    """Run it once in an empty directory, and add what it took."""
    home = where / "home"
    shutil.rmtree(home, ignore_errors=True)  # of a program that failed
    home.mkdir()
    errors = where / "errors"
    with _fresh(where, objects, mounted=not contender.image) as target:
        line = contender.line(url, target)
        subprocess.run(["sync", "-f", target], check=True)
        done = subprocess.run(
            [sys.executable, "-I", "-S", _PROJECT / "benchmarks" / "measured.py",
             target, errors, *line],
            env=environment(url, home), cwd=_PROJECT,
            stdout=subprocess.PIPE, check=True, text=True,
        )  # fmt: skip
        took = json.loads(done.stdout)
        if took["code"]:
            last = errors.read_text(errors="replace").strip().splitlines()[-1:]
            runs.trouble = f"ended with {took['code']}: {''.join(last)[:200]}"
            return
        runs.walls.append(took["wall"])
        runs.cpus.append(took["cpu"])
        runs.peaks.append(took["peak_kib"])
        if compare and contender.below is not None:
            with _tree(contender, target) as tree:
                runs.trouble = differences(tree / contender.below, objects)
    shutil.rmtree(home)
    errors.unlink(missing_ok=True)
    subprocess.run(["sync", "-f", where], check=True)


@contextmanager
def _fresh(where: Path, objects: Objects, *, mounted: bool) -> Iterator[Path]:
    """Give an empty directory: a new file system's, where root may mount one."""
    target, image = where / "target", where / "target.img"
    target.mkdir()
    mounted = mounted and os.geteuid() == 0 and Path("/dev/loop-control").exists()
    try:
        if mounted:
            with image.open("wb") as file:
                file.truncate(_room(objects))
            options = "lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0"
            line = ["mke2fs", "-q", "-F", "-t", "ext4", "-E", options, str(image)]
            subprocess.run(line, check=True)
            subprocess.run(["mount", "-o", "loop", image, target], check=True)
            (target / "lost+found").rmdir()
        yield target
    finally:
        if os.path.ismount(target):
            subprocess.run(["umount", target], check=True)
        shutil.rmtree(target)
        image.unlink(missing_ok=True)


def _room(objects: Objects) -> int:
    return objects.total_bytes * 3 // 2 + (256 << 20)


@contextmanager
def _tree(contender: Contender, target: Path) -> Iterator[Path]:
    if not contender.image:
        yield target
        return
    image = target / "disk.img"
    told = subprocess.run(["sfdisk", "--json", image], check=True, capture_output=True)
    partition = json.loads(told.stdout)["partitiontable"]["partitions"][0]
    where = target / "mounted"
    where.mkdir()
    options = f"ro,loop,offset={partition['start'] * 512}"
    subprocess.run(["mount", "-o", options, image, where], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", where], check=True)


def differences(root: Path, objects: Objects) -> str:
    """Compare a tree with the source; return what is wrong, or nothing."""
    found = sorted(
        path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
    )
    keys = objects.keys()
    if found != keys:
        first = next(a or b for a, b in zip_longest(found, keys) if a != b)
        return f"{len(found)} files of {len(keys)}, beginning to differ at {first}"
    wrong = [
        key
        for key, content in zip(keys, objects.contents(), strict=True)
        if (root / key).read_bytes() != content
    ]
    return f"{len(wrong)} files have wrong bytes, {wrong[0]} first" if wrong else ""


# --- a case ---------------------------------------------------------------------------


def run_case(
    case: Case, contenders: Sequence[Contender], runs: int, where: Path
) -> dict[str, Runs]:
    """Run all in turn: once at least, several times where there is time."""
    started = time.monotonic()
    results = {contender.name: Runs() for contender in contenders}
    objects, delay_seconds = case
    with serving(objects, delay_seconds) as url:
        for number in range(runs):
            for contender in contenders:
                result = results[contender.name]
                late = number and time.monotonic() - started > _CASE_SECONDS
                if result.is_enough or late:
                    continue
                print(f"  {contender.name}, {number + 1}", file=sys.stderr, flush=True)
                measure(contender, url, objects, result, where, compare=number == 0)
    return results


def table(case: Case, results: dict[str, Runs]) -> list[str]:
    """Return the lines of a case's table, and what it says."""
    objects, delay_seconds = case
    line = f", {delay_seconds * 1000:.0f} ms an answer" if delay_seconds else ""
    size = (
        f"{objects.size_bytes // 1_000_000} MB"
        if objects.size_bytes >= 1_000_000
        else f"{objects.size_bytes // 1_000} KB"
    )
    lines = [
        f"### {objects.count:,} objects of {size}{line}",
        "",
        "| | runs | wall, s | objects/s | MB/s | CPU s/GB | peak MB | wall : ours |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    mine = results[OURS]
    notes = []
    for name, runs in results.items():
        if not runs.walls:
            lines.append(f"| {name} | 0 | | | | | | |")
            notes.append(f"{name} {runs.trouble}.")
            continue
        if runs.trouble:
            notes.append(f"**{name} wrote something else: {runs.trouble}.**")
        ratio = f"{runs.wall / mine.wall:.2f}" if mine.walls else ""
        lines.append(
            f"| {name} | {len(runs.walls)} | {runs.wall:.1f} "
            f"| {objects.count / runs.wall:,.0f} "
            f"| {objects.total_bytes / runs.wall / 1e6:,.0f} "
            f"| {statistics.median(runs.cpus) / objects.total_bytes * 1e9:.1f} "
            f"| {statistics.median(runs.peaks) * 1024 / 1e6:,.0f} | {ratio} |"
        )
    notes.append(_verdict(results))
    return [*lines, "", " ".join(notes), ""]


def _verdict(results: dict[str, Runs]) -> str:
    mine = results[OURS]
    if not mine.walls:
        return "**s3export did not finish.**"
    ahead = [
        f"{name} ({mine.wall / runs.wall:.2f} times as fast)"
        for name, runs in results.items()
        if name not in (OURS, WHOLE, CEILING) and runs.walls and runs.wall < mine.wall
    ]
    if ahead:
        return f"**s3export loses to {', '.join(ahead)}.**"
    return "s3export is ahead of all peers that ran."


# --- the whole ------------------------------------------------------------------------


def machine(where: Path) -> str:
    """Say what this was measured on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    kind = subprocess.run(
        ["df", "--output=fstype", where], capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    return (
        f"{os.cpu_count()} processors ({cpu}), {memory:.0f} GiB, "
        f"Linux {platform.release()}, {kind}; Python {platform.python_version()}; "
        f"load average before {os.getloadavg()[0]:.1f}"
    )


def main(*, quick: bool = False, page: Path | None = None) -> bool:
    """Print the tables, and write them to a page; say whether every tree was right."""
    peers = []
    versions = []
    for peer in PEERS:
        path = peer.path(install=not quick)
        if path:
            peers += list(_of_peer(peer, path))
            versions.append(f"{peer.program} {peer.version(path)}")
        else:
            versions.append(f"{peer.program} cannot be had here")
    lines = []
    right = True
    with tempfile.TemporaryDirectory(prefix="s3export-bench-", dir="/var/tmp") as own:
        where = Path(own)
        lines += [f"{machine(where)}. Peers: {', '.join(versions)}.", ""]
        for case in QUICK_CASES if quick else CASES:
            contenders = [*_ours(case[0]), *peers]
            results = run_case(case, contenders, 1 if quick else RUNS, where)
            right &= not any(runs.trouble for runs in results.values())
            lines += table(case, results)
    print("\n".join(lines))
    if page:
        text = page.read_text() if page.exists() else ""
        page.write_text(with_section(text, "\n".join(lines)))
    return right


HEADING = "## Loading"
_ABOUT = """\
`make bench` loads a bucket from an endpoint on the same machine, which answers out of
memory, at once or after a delay as over a long line. What is measured is the client,
which shares the processors with the endpoint: figures of one run compare with each
other alone. As root, each run gets a new ext4 file system in an image: ext4 leaves
inodes alone whose files were removed a minute ago, and looks at each for a new file.
Medians; all run in turn. Who has taken 20 s in a case is not run again, and nobody is
after three minutes of it.

`LoadDevice` is the loading alone, into a directory; the whole command also plans, and
prepares a disk image (a loop device). The others write to a directory. s3export syncs
what it writes, batch by batch, and computes and compares the MD5 of every object. The
time of all ends with `sync -f`. CPU seconds and peak memory are those of the client's
processes. All trees were compared with the source, and what is not named was equal.
"""


def with_section(
    page: str, section: str, heading: str = HEADING, about: str = _ABOUT
) -> str:
    """Return a page with one section of it replaced, or added."""
    text = f"{heading}\n\n{about}\n{section.rstrip()}\n"
    before, found, rest = page.partition(f"{heading}\n")
    if not found:
        before = f"{page.rstrip()}\n\n" if page else "# Benchmarks\n\n"
        return before + text
    _, other, after = rest.partition("\n## ")
    return before + text + (f"{other}{after}" if other else "")
