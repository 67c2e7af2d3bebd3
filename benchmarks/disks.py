"""Disks that are cold: walking, reading small files, hashing a large one.

Each case makes a file system in an image, and attaches and mounts it anew, read-only,
before every run, with nothing of it in memory: root and loop devices are needed. All
contenders run in turn (A B C A B C ...); medians are compared, in one run. Beside the
time stands what the device was asked for (`arm.py`): on a disk that spins one waits for
the arm, which no virtual disk shows.
"""

import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks.arm import Moves, watched
from benchmarks.loading import with_section
from s3export.adapters.byte_sources import FileSource
from s3export.adapters.file_trees.device_walk import DeviceWalkedTree
from s3export.adapters.file_trees.mounted import MountedTree
from s3export.adapters.hash_functions import InstalledHashes
from s3export.adapters.privileges import may_administer
from s3export.adapters.workers import ThreadWorkers
from s3export.domain.backup_layout import TreePath
from s3export.domain.evidence import ETAG_MD5, ETAG_MULTIPART, Evidence
from s3export.domain.ports import FileTree, TreeFile
from s3export.domain.services.file_digests import FileDigests, ReadDigests

ROOT = TreePath(b"")
MIB = 1 << 20
WINDOW = 4096
PART_BYTES = 8 * MIB
DISK_BYTES = 16 << 30


@dataclass(frozen=True)
class Size:
    """How much is made."""

    walked: int
    read: int
    large_bytes: int
    runs: int


FULL = Size(1_000_000, 60_000, 1 << 30, 3)
QUICK = Size(20_000, 2_000, 64 * MIB, 1)


@dataclass(frozen=True)
class Disk:
    """A mounted image, and the loop device under it."""

    device: str
    root: str


Work = Callable[[Disk], None]


def run(*argv: str | Path) -> str:
    """Run a tool that must succeed; return what it says."""
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@contextmanager
def attached(image: Path, *, writable: bool = False) -> Iterator[Disk]:
    """Attach and mount an image; of one that is read nothing is in memory."""
    if not writable:
        fd = os.open(image, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
    root = image.parent / "mounted"
    root.mkdir(exist_ok=True)
    read_only = [] if writable else ["--read-only"]
    device = run("losetup", "--find", "--show", *read_only, image).strip()
    try:
        options = "rw,noatime" if writable else "ro,noload"
        run("mount", "-t", "ext4", "-o", options, device, root)
        try:
            yield Disk(device, str(root))
        finally:
            run("umount", root)
    finally:
        run("losetup", "--detach", device)


def made(directory: Path, name: str, fill: Callable[[Path], None]) -> Path:
    """Make an image, filled through the kernel as a disk is that somebody uses."""
    image = directory / name
    image.touch()
    os.truncate(image, DISK_BYTES)
    options = ["-N", "1500000", "-E", "lazy_itable_init=1,nodiscard"]
    run("mke2fs", "-q", "-F", "-t", "ext4", *options, image)
    with attached(image, writable=True) as disk:
        fill(Path(disk.root))
    return image


def fill(root: Path, count: int, size_bytes: int) -> None:
    """Make small files in nested folders, not in the order of their names."""
    folders = max(1, count // 42)
    for number in range(folders):
        (root / f"{number % 40:02}" / f"{number % 1000:03}" / f"{number:05}").mkdir(
            parents=True
        )
    content = os.urandom(size_bytes)
    for number in range(count):
        folder = number * 7919 // 42 % folders
        place = f"{root}/{folder % 40:02}/{folder % 1000:03}/{folder:05}"
        name = f"{place}/{number * 7919 % count:07}.jpg"
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(file, content)
        os.close(file)


def compare(
    name: str, image: Path, runs: int, first: str, works: Mapping[str, Work]
) -> list[str]:
    """Run all in turn; return the medians and how they compare with the first."""
    times: dict[str, list[float]] = {each: [] for each in works}
    moves: dict[str, Moves] = {}
    for _ in range(runs):
        for each, work in works.items():
            with attached(image) as disk, watched(disk.device, DISK_BYTES) as moved:
                started = time.perf_counter()
                work(disk)
                times[each].append(time.perf_counter() - started)
            moves[each] = moved
    lines = [
        f"### {name}\n",
        f"| | wall, s | wall : {first} | requests | seeks | a spinning disk, s |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    theirs = statistics.median(times[first])
    lost = []
    for each, taken in times.items():
        mine, arm = statistics.median(taken), moves[each]
        lines.append(
            f"| {each} | {mine:.2f} | {mine / theirs:.2f} | {arm.requests:,} "
            f"| {arm.seeks:,} | {arm.seconds:.1f} |"
        )
        if each.startswith("s3export") and mine > theirs:
            lost.append(f"{each} ({mine / theirs:.2f} times as long)")
    if lost:
        lines.append(f"\n**Slower than {first}: {', '.join(lost)}.**")
    return [*lines, ""]


def walked(tree: FileTree, count: int) -> None:
    """Walk a tree that has so many files."""
    found = sum(isinstance(entry, TreeFile) for entry in tree.entries(ROOT))
    if found != count:
        raise AssertionError(f"{found:,} files were found, and there are {count:,}")


def walk_device(disk: Disk, count: int) -> None:
    """Walk it as verify-backup walks an ext disk."""
    with FileSource(disk.device) as device:
        walked(DeviceWalkedTree(disk.root, device), count)


def find(disk: Disk, *what: str) -> None:
    """Walk it with find."""
    line = ["find", disk.root, "-type", "f", *what]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)


def windows(tree: MountedTree, files: Iterable[TreeFile]) -> Iterator[TreeFile]:
    """Yield files in reading order, as a verification does."""
    left = iter(files)
    while window := list(islice(left, WINDOW)):
        yield from tree.reading_order(window)


def read_all(tree: MountedTree, files: Iterable[TreeFile]) -> None:
    """Read files one after the other."""
    for file in files:
        with tree.open(file.path) as source, closing(source.chunks()) as chunks:
            for _ in chunks:
                pass


def read_in_order(disk: Disk, files: list[TreeFile]) -> None:
    """Read files as they lie."""
    tree = MountedTree(disk.root)
    tree.reads_at_once = 1  # as of a disk that spins
    read_all(tree, windows(tree, files))


def hashed(disk: Disk, size: int, parts: tuple[int, ...], at_once: int) -> None:
    """Compute the MD5 of a file as verify-backup does."""
    tree = MountedTree(disk.root)
    reading = ReadDigests(tree, InstalledHashes(), ThreadWorkers(), at_once)
    digests = FileDigests(reading, TreeFile(TreePath(b"large"), size, 0), lambda: False)
    kind = ETAG_MULTIPART if parts else ETAG_MD5
    digests.need(Evidence(kind, "MD5", "", len(parts), parts))


def write_large(root: Path, size_bytes: int) -> None:
    """Make one large file."""
    with (root / "large").open("wb") as file:
        for _ in range(size_bytes // MIB):
            file.write(os.urandom(MIB))


def walking(directory: Path, size: Size) -> list[str]:
    """Compare walks."""
    count = size.walked
    image = made(directory, "walked", lambda root: fill(root, count, 0))
    listed = "find with sizes and times"
    return compare(
        f"Walking {count:,} files, cold",
        image,
        size.runs,
        listed,
        {
            listed: lambda disk: find(disk, "-printf", "%p %s %T@ %C@\\n"),
            "find, names alone": find,
            "s3export, the device": lambda disk: walk_device(disk, count),
            "s3export, the mount": lambda disk: walked(MountedTree(disk.root), count),
        },
    )


def reading(directory: Path, size: Size) -> list[str]:
    """Compare orders of reading."""
    count = size.read
    image = made(directory, "read", lambda root: fill(root, count, 4000))
    with attached(image) as disk:
        found = MountedTree(disk.root).entries(ROOT)
        files = [entry for entry in found if isinstance(entry, TreeFile)]
    by_name = sorted(files, key=lambda file: file.path)
    return compare(
        f"Reading {count:,} files of 4 KB, cold",
        image,
        size.runs,
        "by name",
        {
            "by name": lambda disk: read_all(MountedTree(disk.root), by_name),
            "s3export, as they lie": lambda disk: read_in_order(disk, files),
        },
    )


def hashing(directory: Path, size: Size) -> list[str]:
    """Compare hashes of one file."""
    large = size.large_bytes
    image = made(directory, "hashed", lambda root: write_large(root, large))
    parts = (PART_BYTES,) * (large // PART_BYTES)
    return compare(
        f"MD5 of one file of {large // MIB:,} MiB, cold",
        image,
        size.runs,
        "md5sum",
        {
            "md5sum": _md5sum,
            "s3export, the whole": lambda disk: hashed(disk, large, (), 1),
            "s3export, 8 MiB parts, 1 at once": lambda disk: hashed(
                disk, large, parts, 1
            ),
            "s3export, 8 MiB parts, 2 at once": lambda disk: hashed(
                disk, large, parts, 2
            ),
        },
    )


def _md5sum(disk: Disk) -> None:
    run("md5sum", Path(disk.root, "large"))


HEADING = "## Disks"
_ABOUT = """\
`make bench`, as root, makes file systems in images and reads them with nothing in
memory, each attached and mounted anew for every run. Wall seconds are those of this
machine's virtual disk, which has no arm. The requests are those that the device got;
the last column is what a model of a disk of 7,200 rpm takes for them, and its seconds
compare with each other alone. Medians; all run in turn.
"""


def main(*, quick: bool, page: Path | None) -> None:
    """Run all cases; say so where they cannot run.

    Args:
        page: Where the figures are kept; ``None`` for nowhere.
    """
    if not may_administer() or not shutil.which("mke2fs"):
        print("disks: needs root, loop devices and mke2fs; nothing was measured")
        return
    size = QUICK if quick else FULL
    machine = f"{os.cpu_count()} processors, Linux {platform.release()}"
    lines = [f"{machine}, {size.runs} runs; Python {platform.python_version()}.", ""]
    for case in (walking, reading, hashing):
        with tempfile.TemporaryDirectory(prefix="s3export-bench-") as directory:
            told = case(Path(directory), size)
        print("\n".join(told), flush=True)
        lines += told
    if page:
        text = page.read_text() if page.exists() else ""
        page.write_text(with_section(text, "\n".join(lines), HEADING, _ABOUT))
