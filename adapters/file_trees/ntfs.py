"""NTFS, read by The Sleuth Kit through pytsk3.

It is made for forensics, so that some of its ways are undone here: deleted entries,
NTFS's own files and other streams are no files of the user's; zeros where an image is
cut off, and the bytes of encrypted or offloaded files are not their content.

Layouts: TSK's ``tsk_ntfs.h``, and [MS-FSCC] 2.1.2.1 for reparse tags.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytsk3

from s3export.adapters.byte_sources import ByteSource
from s3export.adapters.file_trees.volumes import (
    NO_NAME,
    STALE,
    Broken,
    CutOff,
    Facts,
    Volume,
    can_be,
)
from s3export.domain.errors import S3ExportError

_ALLOCATED_NAME = int(pytsk3.TSK_FS_NAME_FLAG_ALLOC)
_ALLOCATED_INODE = int(pytsk3.TSK_FS_META_FLAG_ALLOC)

_ENCRYPTED = int(pytsk3.TSK_FS_ATTR_ENC)

PYTSK_ERRORS = (OSError, RuntimeError, TypeError, AttributeError, MemoryError)

_METAFILES = 24  # the first records are NTFS's own
_VOLUME = 3
_VOLUME_INFORMATION = 112
_DATA = 128
_REPARSE_POINT = 192
_REPARSE_KINDS = {
    0xA000000C: pytsk3.TSK_FS_META_TYPE_LNK,
    0xA0000003: pytsk3.TSK_FS_META_TYPE_LNK,  # junction
    0xA000001D: pytsk3.TSK_FS_META_TYPE_LNK,  # from here on those of WSL
    0x80000023: pytsk3.TSK_FS_META_TYPE_SOCK,
    0x80000024: pytsk3.TSK_FS_META_TYPE_FIFO,
    0x80000025: pytsk3.TSK_FS_META_TYPE_CHR,
    0x80000026: pytsk3.TSK_FS_META_TYPE_BLK,
}


class TskImage(pytsk3.Img_Info):  # type: ignore[misc]  # has no types
    """A source as pytsk3 wants it. Errors are kept, since it would lose them."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.failure = ""
        super().__init__(url="", type=pytsk3.TSK_IMG_TYPE_EXTERNAL)

    def get_size(self) -> int:
        """In bytes."""
        return self._source.size_bytes

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes, none for those that cannot be read."""
        try:
            if 0 <= offset < self._source.size_bytes and size > 0:
                return self._source.read(offset, size)
        except S3ExportError as error:
            self.failure = error.message
        return b""

    def close(self) -> None:
        """Leave the source to whoever opened it."""


def _reason(error: Exception) -> str:
    """Return the last line of a message, without the place in pytsk3's source."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].rpartition("error: ")[2]


class NtfsVolume(Volume):
    """NTFS as TSK sees it, without what is not a file of the user's.

    pytsk3 is not thread-safe: one call at a time. Helpers are called under the lock:
    what they hold is let go of when they return, and that frees memory of TSK.
    """

    def __init__(self, image: TskImage) -> None:
        self.lock = threading.Lock()
        self._image = image
        try:
            self._fs = pytsk3.FS_Info(image, 0, pytsk3.TSK_FS_TYPE_NTFS)
        except PYTSK_ERRORS as error:
            raise Broken(image.failure or _reason(error)) from error
        info = self._fs.info
        self.root = int(info.root_inum)
        self._orphans = int(info.last_inum)  # a directory that TSK makes up
        length = int(info.block_count) * int(info.block_size)
        if length > image.get_size():
            raise CutOff(length, image.get_size())

    def close(self) -> None:
        """Release it; idempotent."""
        with self.lock:
            self._fs = None

    @contextmanager
    def locked(self) -> Iterator[Any]:
        """Give the file system to one thread; turn its errors into ours."""
        with self.lock:
            if self._fs is None:
                raise Broken("the file system was closed")
            self._image.failure = ""
            try:
                yield self._fs
            except PYTSK_ERRORS as error:
                raise Broken(self._image.failure or _reason(error)) from error

    def warnings(self) -> tuple[str, ...]:
        """Say whether the journal waits to be replayed."""
        try:
            with self.locked() as fs:
                raw = _ntfs_attribute(fs.open_meta(inode=_VOLUME), _VOLUME_INFORMATION)
        except Broken:
            raw = b""
        dirty = len(raw) >= 12 and raw[10] & 1
        return (STALE.format(name="NTFS"),) if dirty else ()

    def facts(self, inode: int) -> Facts:
        """Return what is known of an inode."""
        self._check(inode)
        with self.locked() as fs:
            return _ntfs_facts(fs, inode)

    def listed(self, directory: int) -> Iterator[tuple[bytes, int]]:
        """Yield names and inodes of a directory."""
        self._check(directory)
        with self.locked() as fs:
            found = _ntfs_names(fs, directory)
        names = [(n, inode) for n, inode in found if self._is_a_users(inode)]
        yield from (pair for pair in names if can_be(pair[0]))
        if not all(can_be(name) for name, _ in names):
            raise Broken(NO_NAME)

    def content(self, inode: int) -> "_NtfsContent":
        """Open a regular file."""
        self._check(inode)
        with self.locked() as fs:
            return _NtfsContent(self, *_ntfs_content(fs, inode))

    def _check(self, inode: int) -> None:
        if inode != self.root and not self._is_a_users(inode):
            raise Broken("its record is none for files")

    def _is_a_users(self, inode: int) -> bool:
        return _METAFILES <= inode < self._orphans


class _NtfsContent:
    def __init__(
        self, volume: NtfsVolume, handle: Any, stream: tuple[Any, ...]
    ) -> None:
        self._volume = volume
        self._handle = handle
        self._stream = stream

    def read(self, start: int, length: int) -> bytes:
        with self._volume.locked():
            got: bytes = self._handle.read_random(start, length, *self._stream)
        if len(got) != length:
            raise Broken(f"it ends at byte {start + len(got):,}, before its size")
        return got

    def close(self) -> None:
        with self._volume.lock:
            self._handle = None


def _ntfs_facts(fs: Any, inode: int) -> Facts:
    handle = fs.open_meta(inode=inode)
    meta = handle.info.meta
    if meta is None or not int(meta.flags) & _ALLOCATED_INODE:
        raise Broken("its record is not in use")
    kind, size = int(meta.type), 0
    for attribute in handle:
        info = attribute.info
        if int(info.type) == _DATA and not info.name:
            size = int(info.size)
        elif int(info.type) == _REPARSE_POINT:
            tag = int.from_bytes(_ntfs_attribute(handle, _REPARSE_POINT)[:4], "little")
            if tag not in _REPARSE_KINDS:
                raise Broken(f"its content lies elsewhere (reparse tag 0x{tag:08x})")
            kind = int(_REPARSE_KINDS[tag])
            break
    if size < 0:
        raise Broken("its size makes no sense")
    return Facts(
        kind,
        size,
        int(meta.mtime) * 1_000_000_000 + int(meta.mtime_nano),
        int(meta.ctime) * 1_000_000_000 + int(meta.ctime_nano),
    )


def _ntfs_attribute(handle: Any, kind: int) -> bytes:
    """Return the beginning of an attribute; nothing where there is none."""
    for attribute in handle:
        info = attribute.info
        if int(info.type) == kind:
            length = min(int(info.size), 64)
            return bytes(handle.read_random(0, length, info.type, int(info.id)))
    return b""


def _ntfs_content(fs: Any, inode: int) -> tuple[Any, tuple[Any, ...]]:
    """Return an open file, and what tells its content from its other streams."""
    handle = fs.open_meta(inode=inode)
    for attribute in handle:
        info = attribute.info
        if int(info.type) == _DATA and not info.name:
            if int(info.flags) & _ENCRYPTED:
                raise Broken("it is encrypted")
            return handle, (info.type, int(info.id))
    return handle, ()


def _ntfs_names(fs: Any, directory: int) -> list[tuple[bytes, int]]:
    return [
        (bytes(name.name), int(name.meta_addr))
        for name in (file.info.name for file in fs.open_dir(inode=directory))
        if int(name.flags) & _ALLOCATED_NAME and name.name not in (b".", b"..")
    ]
