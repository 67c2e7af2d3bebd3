"""Compare s3export with plain tools on data made for it; print ratios.

Each case runs ours and the peer's in turn (A B A B ...), and compares medians. The data
is in the page cache: these figures speak of processor time, not of disks.
"""

import hashlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from s3export.adapters.file_trees.mounted import MountedTree
from s3export.domain.backup_layout import TreePath
from s3export.domain.evidence import Evidence, EvidenceKind
from s3export.domain.ports import TreeFile
from s3export.domain.sampling import Draw

RUNS = 5
FILES = 50_000
BIG_BYTES = 512 << 20


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


def hash_ours(file: Path) -> None:
    """Compute a multipart ETag of 8 MiB parts in one pass."""
    size = file.stat().st_size
    parts = [8 << 20] * (size // (8 << 20))
    digest = Evidence(EvidenceKind.ETAG_MULTIPART, "", tuple(parts)).digest()
    buffer = memoryview(bytearray(1 << 20))
    with MountedTree(str(file.parent)).open(TreePath(file.name.encode())) as source:
        while got := source.readinto(buffer):
            digest.update(buffer[:got])
    digest.result()


def hash_peer(file: Path) -> None:
    """Compute one MD5 with md5sum."""
    subprocess.run(["md5sum", file], check=True, stdout=subprocess.DEVNULL)


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


def main() -> None:
    """Print the table."""
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
        print(
            compare(
                f"multipart ETag of {BIG_BYTES >> 20} MiB (peer: md5sum)",
                lambda: hash_ours(big),
                lambda: hash_peer(big),
            )
        )


if __name__ == "__main__":
    main()
