"""The order of reading on a file system that the kernel has mounted."""

import os
import subprocess
from pathlib import Path

import pytest

from s3export.adapters.file_trees.mounted import MountedTree
from s3export.domain.backup_layout import TreePath
from s3export.domain.ports import TreeFile

pytestmark = pytest.mark.loop

FILES = 60


def run(*argv: str | Path) -> str:
    """Run a tool that must succeed."""
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=100)
    return done.stdout


def test_files_come_as_their_first_blocks_lie(tmp_path: Path) -> None:
    """As debugfs names these, whatever the names and inodes are."""
    image, place = tmp_path / "image", tmp_path / "mounted"
    place.mkdir()
    run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", image, "16M")
    run("mount", "-o", "loop", image, place)
    try:
        for number in range(FILES):
            (place / f"{number}").touch()
        for number in range(FILES):
            with (place / f"{number * 37 % FILES}").open("wb") as file:
                file.write(b"x" * 1000)
                file.flush()
                os.fsync(file.fileno())
    finally:
        run("umount", place)
    blocks = tmp_path / "blocks"
    blocks.write_text("".join(f"blocks {n}\n" for n in range(FILES)))
    told = run("debugfs", "-f", blocks, image).splitlines()
    first = [int(line.split()[0]) for line in told if line[:1].isdigit()]
    assert len(set(first)) == FILES

    run("mount", "-o", "loop,ro", image, place)
    try:
        tree = MountedTree(str(place))
        tree.reads_at_once = 1
        files = [e for e in tree.entries(TreePath(b"")) if isinstance(e, TreeFile)]
        ordered = [int(file.path) for file in tree.reading_order(files)]
    finally:
        run("umount", place)

    assert ordered == sorted(range(FILES), key=first.__getitem__)
    assert ordered != [int(f.path) for f in sorted(files, key=lambda f: f.inode)]
