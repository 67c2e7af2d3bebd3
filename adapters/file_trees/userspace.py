"""A file system read in userspace: no mount, no root, nothing for the kernel."""

import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import pytsk3

from s3export.adapters.byte_sources import ByteSource
from s3export.adapters.file_trees.ext import ExtLayout, ExtVolume
from s3export.adapters.file_trees.ntfs import PYTSK_ERRORS, NtfsVolume, TskImage
from s3export.adapters.file_trees.read_ahead import LARGE_BYTES, read_ahead
from s3export.adapters.file_trees.volume_walk import Ask, Remember, walk
from s3export.adapters.file_trees.volumes import (
    DIRECTORY,
    REGULAR,
    Broken,
    Content,
    CutOff,
    Volume,
)
from s3export.domain.backup_layout import TreePath, join, shown
from s3export.domain.errors import DeviceUnreadable, FileAbsent, FileUnreadable
from s3export.domain.ports import (
    Damaged,
    FileTree,
    Readable,
    TreeEntry,
    TreeFile,
)

_PATHS_REMEMBERED = 1 << 16
_NAMES_INDEXED = 1 << 22  # 16 bytes each
_AT_ONCE = 1 << 16
_WORD = (1 << 64) - 1


class UserspaceTree(FileTree):
    """The files of a file system (ext2, ext3, ext4, NTFS) in some bytes.

    The source stays the caller's to close.

    Args:
        reads_at_once: How many files the disk below reads at once without losing time;
            ``None`` where nobody knows.

    Attributes:
        warnings: What may make the content differ from what was written to it.

    Raises:
        DeviceUnreadable: There is no file system of these kinds.
    """

    def __init__(self, source: ByteSource, reads_at_once: int | None = None) -> None:
        self._volume = _opened(source)
        self.reads_at_once = reads_at_once
        self.warnings: tuple[str, ...] = self._volume.warnings()
        self._found = _Inodes()

    def close(self) -> None:
        """Release what it holds; idempotent. Nothing can be read afterwards."""
        self._volume.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def has_directory(self, path: TreePath) -> bool:
        """Say whether a directory is there."""
        try:
            return self._directory(path) is not None
        except Broken:
            return False

    def names(self, directory: TreePath) -> Sequence[bytes]:
        """Return the names in one directory, sorted."""
        try:
            inode = self._directory(directory)
            if inode is None:
                return ()
            return sorted(name for name, _ in self._volume.listed(inode))
        except Broken as error:
            where = directory.decode(errors="backslashreplace") or "the root"
            raise DeviceUnreadable(f"{where}: {error}") from error

    def entries(self, below: TreePath) -> Iterator[TreeEntry]:
        """Yield what lies below a directory, in sweeps over the disk."""
        return self._below(below, self._found.remember, None)

    def entries_or(self, below: TreePath, ask: Ask) -> Iterator[TreeEntry]:
        """Yield the same; of what makes no sense, what somebody else has instead."""
        return self._below(below, _forget, ask)

    def _below(
        self, below: TreePath, remember: Remember, ask: Ask | None
    ) -> Iterator[TreeEntry]:
        try:
            start = self._directory(below)
            if start is None:
                raise Broken("there is no such directory")
        except Broken as error:
            yield from (ask or _damaged)(below, str(error))
            return
        yield from walk(self._volume, below, start, remember, ask)

    @contextmanager
    def open(self, path: TreePath, *, start: int = 0) -> Iterator[Readable]:
        """Open a regular file."""
        try:
            inode = self._inode(path)
            if inode is None:
                raise FileAbsent("there is no such file")
            facts = self._volume.facts(inode)
            if facts.kind != REGULAR:
                raise FileAbsent("not a regular file")
            content = self._volume.content(inode)
        except Broken as error:
            raise FileUnreadable(str(error)) from error
        try:
            yield _OpenFile(content, facts.size_bytes, start)
        finally:
            content.close()

    @contextmanager
    def source(self, path: TreePath) -> Iterator[ByteSource]:
        """Open a regular file to be read anywhere: a container, say."""
        with self.open(path) as file:
            assert isinstance(file, _OpenFile)  # it is ours
            yield _FileBytes(file, shown(path))

    def reading_order(self, files: Sequence[TreeFile]) -> Sequence[TreeFile]:
        """Return the files by inode number, which follows their place on ext4."""
        return sorted(files, key=lambda file: file.inode)

    def place_of(self, path: TreePath) -> int | None:
        """Tell nothing: that is the kernel's knowledge."""
        return None

    def _directory(self, path: bytes) -> int | None:
        inode = self._inode(path)
        if inode is None or self._volume.facts(inode).kind != DIRECTORY:
            return None
        return inode

    def _inode(self, path: bytes) -> int | None:
        """Find a path, beginning at the longest part of it that is remembered."""
        names = path.split(b"/") if path else []
        depth = len(names)
        inode = None
        while depth and inode is None:
            inode = self._found.get(join(*names[:depth]))
            depth -= inode is None
        if inode is None:
            inode = self._volume.root
        for name in names[depth:]:
            depth += 1
            if self._volume.facts(inode).kind != DIRECTORY:
                return None
            found = self._found.within(inode, self._volume.listed).get(name)
            if found is None:
                return None
            inode = found
            self._found.remember(join(*names[:depth]), inode)
        return inode


def _damaged(path: TreePath, reason: str) -> Iterator[TreeEntry]:
    yield Damaged(path, reason)


def _forget(path: TreePath, inode: int) -> None:
    """Remember nothing."""


class _OpenFile(Readable):
    def __init__(self, content: "Content", size_bytes: int, start: int) -> None:
        self._content = content
        self.size_bytes = size_bytes
        self._at = start

    def chunks(self) -> Generator[memoryview, None, None]:
        if self.size_bytes - self._at < LARGE_BYTES:
            return super().chunks()
        return read_ahead(self.readinto)

    def read_at(self, start: int, length: int) -> bytes:
        length = min(length, self.size_bytes - start)
        if length <= 0:
            return b""
        try:
            return self._content.read(start, length)
        except Broken as error:
            raise FileUnreadable(str(error)) from error

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        got = self.read_at(self._at, len(buffer))
        buffer[: len(got)] = got
        self._at += len(got)
        return len(got)


class _FileBytes(ByteSource):
    """The bytes of an open file, by position."""

    def __init__(self, file: _OpenFile, name: str) -> None:
        self._file = file
        self._name = name

    @property
    def size_bytes(self) -> int:
        return self._file.size_bytes

    def read(self, start: int, length: int) -> bytes:
        try:
            return self._file.read_at(start, length)
        except FileUnreadable as error:
            raise DeviceUnreadable(f"/{self._name}: {error.message}") from error

    def close(self) -> None:
        """Leave it to whoever opened the file."""


# --- finding inodes ---------------------------------------------------------------


class _Index:
    """The inodes of one directory by name, in 16 bytes each.

    Names are known by their hash, which Python keys anew in every process: no disk
    can be crafted to make two names collide, and by chance two in a million names do
    once in 10^7 directories.
    """

    def __init__(self, entries: Iterable[tuple[bytes, int]]) -> None:
        both = sorted((hash(name) & _WORD) << 64 | inode for name, inode in entries)
        self._hashes = array("Q", (pair >> 64 for pair in both))
        self._inodes = array("Q", (pair & _WORD for pair in both))

    def __len__(self) -> int:
        return len(self._hashes)

    def get(self, name: bytes) -> int | None:
        wanted = hash(name) & _WORD
        place = bisect_left(self._hashes, wanted)
        if place < len(self._hashes) and self._hashes[place] == wanted:
            return self._inodes[place]
        return None


class _Inodes:
    """What was found lately: inodes of paths, and whole directories. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: OrderedDict[bytes, int] = OrderedDict()
        self._indices: OrderedDict[int, _Index] = OrderedDict()
        self._names = 0

    def get(self, path: bytes) -> int | None:
        with self._lock:
            inode = self._paths.get(path)
            if inode is not None:
                self._paths.move_to_end(path)
            return inode

    def remember(self, path: bytes, inode: int) -> None:
        with self._lock:
            self._paths[path] = inode
            self._paths.move_to_end(path)
            if len(self._paths) > _PATHS_REMEMBERED:
                self._paths.popitem(last=False)

    def within(
        self, directory: int, listed: Callable[[int], Iterable[tuple[bytes, int]]]
    ) -> _Index:
        with self._lock:
            known = self._indices.get(directory)
            if known is not None:
                self._indices.move_to_end(directory)
                return known
        index = _Index(listed(directory))
        with self._lock:
            if directory not in self._indices:
                self._indices[directory] = index
                self._names += len(index) + 1
            while self._names > _NAMES_INDEXED and len(self._indices) > 1:
                self._names -= len(self._indices.popitem(last=False)[1]) + 1
        return index


WHERE_CUT_OFF = "its end is missing: copy the whole disk again, or name the disk itself"


def cut_off(source: ByteSource) -> str:
    """Say how much of a file system is there; empty if all of it, as far as is known.

    Raises:
        DeviceUnreadable: The disk gives an error.
    """
    try:
        if volume := _known(source, TskImage(source)):
            volume.close()
    except CutOff as error:
        return str(error)
    except Broken:
        return ""
    return ""


def _known(source: ByteSource, image: TskImage) -> Volume | None:
    sector = source.read(0, 512)
    superblock = source.read(1024, 1024)
    if sector[3:11] == b"NTFS    ":
        return NtfsVolume(image)
    if len(superblock) == 1024 and superblock[0x38:0x3A] == b"\x53\xef":
        return ExtVolume(source, ExtLayout(superblock, source.size_bytes))
    return None


def _opened(source: ByteSource) -> Volume:
    image = TskImage(source)
    try:
        volume = _known(source, image)
    except Broken as error:
        raise DeviceUnreadable(
            f"the file system cannot be read in userspace: {error}",
            next_step=WHERE_CUT_OFF if isinstance(error, CutOff) else "",
        ) from error
    if volume:
        return volume
    raise DeviceUnreadable(
        f"no file system that can be read in userspace (ext2, ext3, ext4, NTFS)"
        f"{_something_else(image)}"
    )


def _something_else(image: TskImage) -> str:
    try:
        kind = pytsk3.FS_Info(image, 0).info.ftype
    except PYTSK_ERRORS:
        return f": {image.failure}" if image.failure else ""
    name = str(kind).rpartition("TSK_FS_TYPE_")[2]
    return f", but one of the kind {name}"
