"""In which order files are read, and how many at once."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from s3export.adapters.file_trees import mounted
from s3export.adapters.file_trees.mounted import MountedTree
from s3export.adapters.file_trees.placement import TellsNoPlaces
from s3export.adapters.rotation import spins
from s3export.domain.backup_layout import TreePath
from s3export.domain.ports import TreeFile


@pytest.fixture
def tree(tmp_path: Path) -> MountedTree:
    """Files a, b, c, d on a disk that spins."""
    for name in "abcd":
        (tmp_path / name).write_bytes(name.encode())
    tree = MountedTree(str(tmp_path))
    tree.reads_at_once = 1
    return tree


def order(tree: MountedTree, *extra: TreeFile) -> list[bytes]:
    """Return the names in reading order; b has the lowest inode, then d, a, c."""
    inodes = {b"b": 1, b"d": 2, b"a": 3, b"c": 4}
    files = [TreeFile(TreePath(n), 1, 0, inodes[n]) for n in sorted(inodes)]
    return [file.path for file in tree.reading_order([*files, *extra])]


def places(told: dict[bytes, int | None]) -> Callable[[int], int | None]:
    """Tell the place of an open file by its content."""
    return lambda fd: told[os.pread(fd, 1, 0)]


def test_files_are_read_as_they_lie(
    tree: MountedTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those without a place come first, by inode."""
    told = {b"a": None, b"b": 70, b"c": 20, b"d": None}
    monkeypatch.setattr(mounted, "first_place", places(told))

    assert order(tree) == [b"d", b"a", b"c", b"b"]


def test_a_file_that_cannot_be_looked_at_is_not_lost(
    tree: MountedTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the order, for somebody to open it and be told why."""
    monkeypatch.setattr(
        mounted, "first_place", places({b"a": 4, b"b": 3, b"c": 2, b"d": 1})
    )

    gone = TreeFile(TreePath(b"gone/too"), 1, 0, 9)

    assert order(tree, gone) == [b"gone/too", b"d", b"c", b"b", b"a"]


def test_without_places_the_inodes_give_the_order(
    tree: MountedTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that tells none is asked once."""
    asked = []

    def first_place(fd: int) -> int:
        asked.append(fd)
        raise TellsNoPlaces

    monkeypatch.setattr(mounted, "first_place", first_place)

    assert [order(tree), order(tree)] == [[b"b", b"d", b"a", b"c"]] * 2
    assert len(asked) == 1


def test_without_an_arm_no_file_is_asked_for_its_place(
    tree: MountedTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of the inodes costs nothing."""
    monkeypatch.setattr(mounted, "first_place", lambda fd: pytest.fail("it was asked"))
    tree.reads_at_once = 4

    assert order(tree) == [b"b", b"d", b"a", b"c"]


def number(path: Path) -> str:
    """Return the number of the device that a path lies on."""
    device = path.stat().st_dev
    return f"{os.major(device)}:{os.minor(device)}"


def write(path: Path, text: str) -> None:
    """Write a file of sysfs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(("rotational", "expected"), [("1\n", True), ("0\n", False)])
@pytest.mark.parametrize("stand", ["disk", "partition", "loop", "mapped"])
def test_whether_a_disk_spins_is_found_below_what_stands_on_it(
    tmp_path: Path, rotational: str, expected: bool, stand: str
) -> None:
    """On partitions, loop devices and mappings, as on the disk."""
    sysfs = tmp_path / "sys"
    numbers = sysfs / "dev/block"
    numbers.mkdir(parents=True)
    disk, here = sysfs / "block/sda", numbers / number(tmp_path)
    write(disk / "queue/rotational", rotational)
    if stand == "disk":
        here.symlink_to(disk)
    elif stand == "partition":
        write(disk / "sda1/partition", "1\n")
        here.symlink_to(disk / "sda1")
    elif stand == "mapped":
        mapping = sysfs / "block/dm-0"
        write(mapping / "queue/rotational", "0\n")
        (mapping / "slaves").mkdir()
        (mapping / "slaves/sda").symlink_to(disk)
        here.symlink_to(mapping)
    else:  # of a file that lies elsewhere
        loop = sysfs / "block/loop0"
        write(loop / "loop/backing_file", "/proc/version\n")
        write(loop / "queue/rotational", "0\n")
        here.symlink_to(loop)
        (numbers / number(Path("/proc/version"))).symlink_to(disk)

    assert spins(str(tmp_path), sysfs) is expected


def test_of_several_disks_one_that_spins_is_enough(tmp_path: Path) -> None:
    """And one of which nobody knows leaves it open, unless another spins."""
    sysfs = tmp_path / "sys"
    mapping = sysfs / "block/md0"
    for name, text in (("sda", "1"), ("sdb", "0"), ("sdc", "0")):
        write(mapping / "slaves" / name / "queue/rotational", text)
    (sysfs / "dev/block").mkdir(parents=True)
    (sysfs / "dev/block" / number(tmp_path)).symlink_to(mapping)

    assert spins(str(tmp_path), sysfs) is True
    write(mapping / "slaves/sda/queue/rotational", "0")
    assert spins(str(tmp_path), sysfs) is False
    (mapping / "slaves/sdb/queue/rotational").unlink()
    assert spins(str(tmp_path), sysfs) is None


def test_what_is_on_no_device_may_or_may_not_spin(tmp_path: Path) -> None:
    """A path that is not there, a device without an entry, a loop in itself."""
    sysfs = tmp_path / "sys"
    assert spins("/nowhere", sysfs) is None
    assert spins(str(tmp_path), sysfs) is None
    entry = sysfs / "dev/block" / number(tmp_path)
    write(entry / "loop/backing_file", f"{tmp_path}\n")
    assert spins(str(tmp_path), sysfs) is None
