"""Paths are opened below a root, in one call or name by name: the same."""

import ctypes
import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3export.adapters.file_trees import beneath as module
from s3export.adapters.file_trees.beneath import DIRECTORY, FILE, Beneath
from s3export.adapters.file_trees.mounted import MountedTree
from s3export.domain.backup_layout import TreePath
from s3export.domain.errors import FileAbsent

NAMES = [b"dir", b"file", b"link", b"out", b"loop", b"none", b"..", b".", b"", b"a\0b"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("below") / "root"
    for directory in (root, root / "dir", root / "dir/dir"):
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "file").write_bytes(b"1")
        (directory / "link").symlink_to("file")
        (directory / "out").symlink_to(root.parent)
        (directory / "loop").symlink_to("loop")
    (root.parent / "file").write_bytes(b"outside")
    return root


def opened(beneath: Beneath, root: Path, path: bytes, flags: int) -> tuple[int, ...]:
    """Return which file it is; empty where it is refused."""
    above = os.open(root, DIRECTORY)
    try:
        fd = beneath.open(above, path, flags)
    except OSError:
        return ()
    finally:
        os.close(above)
    try:
        found = os.fstat(fd)
        return found.st_dev, found.st_ino
    finally:
        os.close(fd)


@given(st.lists(st.sampled_from(NAMES), max_size=4), st.sampled_from([DIRECTORY, FILE]))
def test_both_ways_open_the_same(root: Path, names: list[bytes], flags: int) -> None:
    """Links, paths that lead out, and what is no name are refused by both."""
    path = b"/".join(names)

    one = opened(Beneath(), root, path, flags)
    other = opened(Beneath(at_once=False), root, path, flags)

    assert one == other
    own = {(f.lstat().st_dev, f.lstat().st_ino) for f in (root, *root.rglob("*"))}
    assert not one or one in own


def test_a_path_longer_than_the_system_takes_is_opened(tmp_path: Path) -> None:
    """A disk can hold what no single call can name."""
    path = b"/".join([b"d" * 250] * 20)
    fd = os.open(tmp_path, DIRECTORY)
    for name in path.split(b"/"):
        os.mkdir(name, dir_fd=fd)
        deeper = os.open(name, DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = deeper
    os.mkfifo("odd", dir_fd=fd)
    os.close(fd)
    tree = MountedTree(str(tmp_path))

    assert tree.names(TreePath(path)) == [b"odd"]
    with pytest.raises(FileAbsent), tree.open(TreePath(path + b"/odd")):
        pass


@pytest.mark.parametrize("code", ["ENOSYS", "EPERM", "EINTR", "EAGAIN"])
def test_a_system_without_the_call_is_no_hindrance(
    root: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """Older kernels and sandboxes answer so; a signal may come, and a rename."""

    def refuses(*_: object) -> int:
        ctypes.set_errno(getattr(errno, code))
        return -1

    expected = opened(Beneath(), root, b"dir/file", FILE)
    monkeypatch.setattr(module, "_syscall", refuses)

    assert opened(Beneath(), root, b"dir/file", FILE) == expected != ()
