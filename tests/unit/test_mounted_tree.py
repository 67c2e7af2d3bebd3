"""A mounted tree keeps to its root, whatever paths a disk names."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3export.adapters.file_trees import change_times, mounted
from s3export.adapters.file_trees.mounted import MountedTree, MountedWritableTree
from s3export.domain.backup_layout import TreePath
from s3export.domain.errors import PathUnusable
from s3export.domain.ports import TreeFile

OUTSIDE = TreePath(b"below/../../outside")


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[MountedWritableTree]:
    (tmp_path / "root" / "below").mkdir(parents=True)
    (tmp_path / "outside").write_bytes(b"kept")
    tree = MountedWritableTree(str(tmp_path / "root"))
    yield tree
    tree.close()


def test_nothing_outside_is_removed_or_written(
    tree: MountedWritableTree, tmp_path: Path
) -> None:
    """A journal on a disk may name what it likes."""
    tree.remove(OUTSIDE)
    with pytest.raises(PathUnusable):
        tree.append(OUTSIDE, b"lost")
    with pytest.raises(PathUnusable):
        tree.write(TreePath(b"../outside"), [b"lost"])

    assert (tmp_path / "outside").read_bytes() == b"kept"


def test_nothing_outside_is_looked_at(tree: MountedWritableTree) -> None:
    """Neither its size nor its names."""
    assert tree.size_of(OUTSIDE) is None
    assert not tree.has_directory(TreePath(b".."))
    assert not tree.names(TreePath(b".."))


# --- when files were written ---------------------------------------------------------


def changed(root: Path) -> dict[bytes, int]:
    """Return what a walk tells of the times at which inodes were changed."""
    found = MountedTree(str(root)).entries(TreePath(b""))
    return {
        bytes(one.path): one.changed_ns for one in found if isinstance(one, TreeFile)
    }


def test_a_ctime_that_only_repeats_the_mtime_is_believed_of_some_file_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ExFAT answers so for every file, whenever it was written."""
    fresh, touched = tmp_path / "fresh", tmp_path / "touched"
    for file in (fresh, touched):
        file.write_bytes(b"x")
    os.utime(touched, (0, 0))
    times = {b"fresh": fresh.stat().st_ctime_ns, b"touched": touched.stat().st_ctime_ns}
    assert fresh.stat().st_mtime_ns == times[b"fresh"]

    monkeypatch.setattr(mounted, "are_kept", lambda _: True)
    assert changed(tmp_path) == times
    monkeypatch.setattr(mounted, "are_kept", lambda _: False)
    assert changed(tmp_path) == {**times, b"fresh": 0}


def test_what_a_file_system_is_called_is_found_through_its_mounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deepest mount counts, of several at one place the last; names are escaped."""
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 1 8:1 / / rw - ext4 /dev/root rw\n"
        "30 22 8:17 / /mnt/my\\040disk rw shared:1 - ext4 /dev/sdb1 rw\n"
        "31 30 8:18 / /mnt/my\\040disk rw - exfat /dev/sdb2 rw\n"
        "32 22 0:50 / /mnt/my rw - vfat /dev/sdc1 rw\n"
        "a line of another kind\n"
    )
    monkeypatch.setattr(change_times, "_MOUNTS", table)

    assert change_times.are_kept("/home")
    assert change_times.are_kept("/mnt/my-own")
    assert not change_times.are_kept("/mnt/my disk/files")
    assert not change_times.are_kept("/mnt/my")
    table.write_text("")
    assert not change_times.are_kept("/home")


def test_this_systems_mounts_are_read() -> None:
    """A memory file system keeps the time; that of the processes is none for files."""
    assert change_times.are_kept("/dev/shm")
    assert not change_times.are_kept("/proc/self")
