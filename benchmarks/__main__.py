"""Compare s3export with plain tools on data made for it; print ratios.

``python -m benchmarks [CASES] [--quick]``; see the modules. For the containers,
``tests`` is in PYTHONPATH: they have user-mode Linux.
Each case of the tools runs ours and the peer's in turn (A B A B ...), and compares
medians. Their data is in the page cache: these figures speak of processor time, not of
disks.
"""

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks import checking, disks, loading, memory
from s3export.adapters.byte_sources import FileSource
from s3export.adapters.containers.opening import open_volume
from s3export.adapters.containers.system import encrypted
from s3export.adapters.file_trees.mounted import MountedTree
from s3export.adapters.hash_functions import InstalledHashes
from s3export.adapters.scratch import TemporaryScratch
from s3export.domain.backup_layout import Source, TreePath
from s3export.domain.completeness import Inventory
from s3export.domain.containers import ContainerKey
from s3export.domain.digests import OnePass, Recipe
from s3export.domain.evidence import ObjectFacts
from s3export.domain.ports import TreeFile
from s3export.domain.sampling import Draw
from s3export.domain.secret import Secret

RUNS = 5
FILES = 50_000
BIG_BYTES = 512 << 20
NAMES = 200_000
PASSWORD = Secret("correct horse")
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def make_tree(root: Path) -> None:
    """Make many small files in nested folders."""
    for number in range(FILES):
        folder = root / f"{number % 50:02}" / f"{number % 2500:04}"
        if number < 2500:
            folder.mkdir(parents=True)
        (folder / f"file-{number}").write_bytes(b"x")


def draw_ours(root: Path) -> None:
    """Draw 100 files as verify-backup does."""
    draw: Draw[TreeFile] = Draw("seed", 100)
    for entry in MountedTree(str(root)).entries(TreePath(b"")):
        if isinstance(entry, TreeFile):
            draw.offer(entry.path, entry)
    assert len(draw.drawn()) == 100


def draw_peer(root: Path) -> None:
    """Draw 100 files with find and shuf."""
    find = subprocess.Popen(["find", root, "-type", "f"], stdout=subprocess.PIPE)
    subprocess.run(["shuf", "-n", "100"], stdin=find.stdout, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    find.wait()


def hash_ours(file: Path, recipe: Recipe) -> None:
    """Compute a digest in one pass, as verify-backup does."""
    digest = OnePass([recipe], InstalledHashes().new)
    buffer = memoryview(bytearray(1 << 20))
    with MountedTree(str(file.parent)).open(TreePath(file.name.encode())) as source:
        while got := source.readinto(buffer):
            digest.update(buffer[:got])
    digest.digests()


def hash_peer(file: Path) -> None:
    """Compute one MD5 with md5sum."""
    subprocess.run(["md5sum", file], check=True, stdout=subprocess.DEVNULL)


def join_ours(names: list[str]) -> None:
    """Look up every name of a listing, and tell what was never looked up."""
    facts = ObjectFacts("b", "", 1, "d41d8cd98f00b204e9800998ecf8427e", NOW)
    with ExitStack() as stack:
        scratch = TemporaryScratch()
        inventory = Inventory(
            (Source("b", TreePath(b"")),),
            lambda: stack.enter_context(scratch.file()),
        )
        for name in names:
            inventory.add(0, facts._replace(key=name))
        inventory.seal()
        for name in names[1:]:
            inventory.find(TreePath(name.encode()))
        assert len(list(inventory.unseen())) == 1


def join_peer(listed: Path, found: Path) -> None:
    """Sort both lists, and tell what only one has."""
    script = 'sort -o "$1.s" "$1"; sort -o "$2.s" "$2"; comm -23 "$1.s" "$2.s"'
    subprocess.run(["sh", "-c", script, "sh", listed, found], check=True,
                   stdout=subprocess.DEVNULL, env={"LC_ALL": "C"})  # fmt: skip


def decrypt_ours(container: Path) -> None:
    """Read the whole plain content of a TrueCrypt container, AES, MiB by MiB."""
    with FileSource(str(container)) as source:
        _, plain = open_volume(source, ContainerKey(PASSWORD))
        for start in range(0, plain.size_bytes, 1 << 20):
            plain.read(start, 1 << 20)


def decrypt_peer(container: Path) -> None:
    """Decrypt as much with openssl, in counter mode: it knows no XTS of sectors."""
    subprocess.run(
        ["openssl", "enc", "-d", "-aes-256-ctr", "-K", "00" * 32, "-iv", "00" * 16,
         "-in", container, "-out", "/dev/null"],
        check=True,
    )  # fmt: skip


def compare(name: str, ours: Callable[[], None], peer: Callable[[], None]) -> str:
    """Run both in turn and return a line of the table."""
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(RUNS):
        for side, work in (("ours", ours), ("peer", peer)):
            started = time.perf_counter()
            work()
            times[side].append(time.perf_counter() - started)
    mine, theirs = (statistics.median(times[side]) for side in ("ours", "peer"))
    return f"| {name} | {mine:.2f} s | {theirs:.2f} s | {mine / theirs:.2f} |"


def tools() -> None:
    """Print the table of sampling, hashing, joining and decrypting."""
    with tempfile.TemporaryDirectory(prefix="s3export-bench-") as directory:
        tree, big = Path(directory, "tree"), Path(directory, "big")
        make_tree(tree)
        block = hashlib.shake_128(b"block").digest(1 << 20)
        with big.open("wb") as file:
            for _ in range(BIG_BYTES >> 20):
                file.write(block)
        os.sync()
        print(f"Python, {os.cpu_count()} processors, medians of {RUNS}, warm cache\n")
        print("| case | s3export | peer | ratio |\n|---|---|---|---|")
        print(
            compare(
                f"draw 100 of {FILES:,} files (peer: find, shuf)",
                lambda: draw_ours(tree),
                lambda: draw_peer(tree),
            )
        )
        parts = (8 << 20,) * (BIG_BYTES // (8 << 20))
        for name, recipe in (
            ("multipart ETag", Recipe("MD5", parts)),
            ("CRC64NVME", Recipe("CRC64NVME")),
        ):
            print(
                compare(
                    f"{name} of {BIG_BYTES >> 20} MiB (peer: md5sum)",
                    partial(hash_ours, big, recipe),
                    lambda: hash_peer(big),
                )
            )
        names = [f"folder-{n % 999}/file-{n * 7919 % NAMES:08}" for n in range(NAMES)]
        listed, found = Path(directory, "listed"), Path(directory, "found")
        listed.write_text("\n".join(names))
        found.write_text("\n".join(names[1:]))
        print(
            compare(
                f"join {NAMES:,} objects with as many files (peer: sort, comm)",
                lambda: join_ours(names),
                lambda: join_peer(listed, found),
            )
        )
        container = Path(directory, "container")
        with container.open("wb") as file:
            for chunk in encrypted(big, BIG_BYTES, PASSWORD):
                file.write(chunk)
        print(
            compare(
                f"AES container of {BIG_BYTES >> 20} MiB (peer: openssl, CTR)",
                lambda: decrypt_ours(container),
                lambda: decrypt_peer(container),
            )
        )


def main() -> None:
    """Run what is asked for, by default all."""
    parser = argparse.ArgumentParser(prog="benchmarks")
    cases = ["tools", "memory", "containers", "disks", "checking", "loading"]
    parser.add_argument("what", nargs="*", choices=[*cases, []])
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small data, once, no figures to keep: do all but the tools work?",
    )
    arguments = parser.parse_args()
    what = arguments.what or cases
    page = None if arguments.quick else PAGE
    if "tools" in what:
        tools()
    if "memory" in what:
        memory.main(quick=arguments.quick, page=page)
    if "containers" in what:
        from benchmarks import containers

        containers.main(quick=arguments.quick, page=page)
    if "disks" in what:
        disks.main(quick=arguments.quick, page=page)
    if "checking" in what:
        checking.main(quick=arguments.quick, page=page)
    if "loading" in what and not loading.main(quick=arguments.quick, page=page):
        sys.exit("a contender failed, or wrote something else: see above")


if __name__ == "__main__":
    main()
