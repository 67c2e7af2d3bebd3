"""What the kernel says of a damaged file system is told from a disk that fails."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from s3export.adapters.containers import system
from s3export.adapters.file_trees.mounted import MountedWritableTree
from s3export.domain.backup_layout import TreePath
from s3export.domain.errors import (
    DeviceError,
    DeviceFailed,
    DeviceUnreadable,
    DiskFull,
    S3ExportError,
)

FILE = TreePath(b"below/file")

kinds = pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EUCLEAN, DeviceUnreadable),
        (errno.EBADMSG, DeviceUnreadable),
        (errno.EIO, DeviceFailed),
        (errno.EROFS, DeviceFailed),
    ],
)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[MountedWritableTree]:
    tree = MountedWritableTree(str(tmp_path))
    yield tree
    with suppress(DeviceError):
        tree.close()


@kinds
def test_damage_is_not_called_a_faulty_cable(
    tree: MountedWritableTree,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[S3ExportError],
) -> None:
    """Another attempt meets it again: the file system cannot be read."""
    tree.write(FILE, [b"x"])

    def failing(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    for name in ("stat", "link", "unlink"):
        monkeypatch.setattr(os, name, failing)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: tree.size_of(FILE),
        lambda: tree.write(TreePath(b"new"), [b"x"]),
        lambda: tree.remove(FILE),
    )
    for attempt in attempts:
        with pytest.raises(kind, match=os.strerror(number)) as told:
            attempt()
        assert ("faulty" in told.value.next_step) is (kind is DeviceFailed)


@kinds
def test_damage_under_a_container_is_told_as_such(
    number: int, kind: type[S3ExportError]
) -> None:
    """While it is made, and where it is opened."""
    with (
        pytest.raises(kind, match="writing to the container failed"),
        system._written(),
    ):
        raise OSError(number, os.strerror(number))
    with pytest.raises(DiskFull), system._written():
        raise OSError(errno.ENOSPC, "full")
