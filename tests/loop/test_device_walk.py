"""A walk of a device sees what the kernel shows that has mounted it."""

import os
import subprocess
from pathlib import Path

import pytest

from s3export.adapters.byte_sources import FileSource
from s3export.adapters.file_trees.device_walk import DeviceWalkedTree
from s3export.adapters.file_trees.mounted import MountedTree
from s3export.domain.backup_layout import TreePath

pytestmark = pytest.mark.loop

ROOT = TreePath(b"")


def run(*argv: str | Path) -> None:
    """Run a tool that must succeed."""
    subprocess.run(argv, check=True, capture_output=True, timeout=100)


def fill(root: Path) -> None:
    """Write, delete, rename and move: what leaves traces in directories."""
    for number in range(40):
        place = root / f"d{number % 7}" / f"e{number}"
        place.mkdir(parents=True)
        for file in range(60):
            (place / f"{file:03}-{'n' * (file * 3)}").write_bytes(b"x" * file)
        for file in range(0, 60, 4):
            (place / f"{file:03}-{'n' * (file * 3)}").unlink()
    for number in range(0, 40, 5):
        (root / f"d{number % 7}/e{number}").rename(root / f"moved{number}")
    (root / "large").mkdir()
    for number in range(3000):
        (root / f"large/{number:05}-{'n' * 60}").touch()
    for number in range(0, 3000, 2):
        (root / f"large/{number:05}-{'n' * 60}").unlink()
    (root / "hard").hardlink_to(root / "moved5/001-nnn")
    (root / "link").symlink_to("large")
    os.mkfifo(root / "fifo")
    (root / os.fsdecode(b"\xff\xfe")).write_bytes(b"3")


@pytest.mark.parametrize(
    "options",
    [
        "-t ext4",
        "-t ext4 -b 1024 -g 2048",
        "-t ext4 -b 1024 -O inline_data -I 512",
        "-t ext4 -b 1024 -O ^metadata_csum,^64bit,^flex_bg",
        "-t ext4 -O meta_bg,^resize_inode -b 1024",
        "-t ext3",
        "-t ext2 -b 1024",
    ],
)
def test_every_entry_agrees(options: str, tmp_path: Path) -> None:
    """Kind, size, times to the nanosecond, inode; below a directory, too."""
    image, place = tmp_path / "image", tmp_path / "mounted"
    place.mkdir()
    run("mke2fs", "-q", "-F", *options.split(), image, "64M")
    run("mount", "-o", "loop", image, place)
    try:
        fill(place)
    finally:
        run("umount", place)

    run("mount", "-o", "loop,ro,noload" if "ext2" not in options else "loop,ro",
        image, place)  # fmt: skip
    try:
        with FileSource(str(image)) as source:
            tree = DeviceWalkedTree(str(place), source)
            mounted = MountedTree(str(place))
            assert tree.warnings == ()
            for below in (ROOT, TreePath(b"d3"), TreePath(b"large")):
                found = sorted(tree.entries(below), key=lambda entry: entry.path)
                wanted = sorted(mounted.entries(below), key=lambda entry: entry.path)
                assert found == wanted
                assert len(found) > 100
    finally:
        run("umount", place)
