"""A file system read in userspace: no mount, no root, nothing that the kernel parses.

NTFS is read by The Sleuth Kit, through pytsk3. It is made for forensics, so that some
of its ways are undone here: deleted entries, NTFS's own files and other streams are
no files of the user's; zeros where an image is cut off, and the bytes of encrypted or
offloaded files are not their content.

ext2, ext3 and ext4 are parsed here. TSK 4.15 was tried: it makes up names where the
bytes of a directory's hash index look like an entry (three in a directory of 40,000),
lists every block of a file with block pointers before the first is read (minutes, for
a sparse one or a damaged size), and takes times for unsigned.

Layouts: kernel.org, "ext4 Data Structures and Algorithms"; for NTFS, TSK's
``tsk_ntfs.h``, and [MS-FSCC] 2.1.2.1 for reparse tags.
"""

import struct
import threading
from abc import abstractmethod
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import pytsk3

from s3export.adapters.byte_sources import ByteSource
from s3export.domain.backup_layout import LONGEST_PATH_BYTES, TreePath, join, shown
from s3export.domain.errors import DeviceUnreadable, FileUnreadable, S3ExportError
from s3export.domain.ports import (
    Damaged,
    FileTree,
    NotAFile,
    Readable,
    TreeEntry,
    TreeFile,
)

_KINDS = {
    int(pytsk3.TSK_FS_META_TYPE_LNK): "symbolic link",
    int(pytsk3.TSK_FS_META_TYPE_FIFO): "named pipe",
    int(pytsk3.TSK_FS_META_TYPE_SOCK): "socket",
    int(pytsk3.TSK_FS_META_TYPE_CHR): "character device",
    int(pytsk3.TSK_FS_META_TYPE_BLK): "block device",
}
_REGULAR = int(pytsk3.TSK_FS_META_TYPE_REG)
_DIRECTORY = int(pytsk3.TSK_FS_META_TYPE_DIR)
_ALLOCATED_NAME = int(pytsk3.TSK_FS_NAME_FLAG_ALLOC)
_ALLOCATED_INODE = int(pytsk3.TSK_FS_META_FLAG_ALLOC)

_ENCRYPTED = 0x20  # TSK_FS_ATTR_ENC

_PYTSK_ERRORS = (OSError, RuntimeError, TypeError, AttributeError, MemoryError)

_PATHS_REMEMBERED = 1 << 16
_NAMES_INDEXED = 1 << 22  # 16 bytes each
_AT_ONCE = 1 << 16
_WORD = (1 << 64) - 1

_TOO_LONG = f"its path is longer than {LONGEST_PATH_BYTES:,} bytes"
_NO_NAME = "the directory is damaged: a name that cannot be one"
_STALE = (
    "the {name} file system was not unmounted before it was unplugged, and its journal "
    "is not replayed here: the newest writes may be missing, or show older content"
)


class UserspaceTree(FileTree):
    """The files of a file system (ext2, ext3, ext4, NTFS) in some bytes.

    The source stays the caller's to close.

    Attributes:
        warnings: What may make the content differ from what was written to it.

    Raises:
        DeviceUnreadable: There is no file system of these kinds.
    """

    def __init__(self, source: ByteSource) -> None:
        self._volume = _opened(source)
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
        except _Broken:
            return False

    def names(self, directory: TreePath) -> Sequence[bytes]:
        """Return the names in one directory, sorted."""
        try:
            inode = self._directory(directory)
            if inode is None:
                return ()
            return sorted(name for name, _ in self._volume.listed(inode))
        except _Broken as error:
            where = directory.decode(errors="backslashreplace") or "the root"
            raise DeviceUnreadable(f"{where}: {error}") from error

    def entries(self, below: TreePath) -> Iterator[TreeEntry]:
        """Yield what lies below a directory, depth first."""
        try:
            start = self._directory(below)
            if start is None:
                raise _Broken("there is no such directory")
        except _Broken as error:
            yield Damaged(below, str(error))
            return
        pending = [(below, start)]
        walked = {start}
        while pending:
            directory, number = pending.pop()
            try:
                for name, inode in self._volume.listed(number):
                    path = join(directory, name)
                    try:
                        facts = self._volume.facts(inode)
                    except _Broken as error:
                        yield Damaged(path, str(error))
                        continue
                    if facts.kind != _DIRECTORY:
                        self._found.remember(path, inode)
                        yield _described(path, inode, facts)
                    elif inode in walked:
                        yield Damaged(path, "a directory that also lies elsewhere")
                    elif len(path) > LONGEST_PATH_BYTES:
                        yield Damaged(path, _TOO_LONG)
                    else:
                        walked.add(inode)
                        self._found.remember(path, inode)
                        pending.append((path, inode))
            except _Broken as error:
                yield Damaged(directory, str(error))

    @contextmanager
    def open(self, path: TreePath) -> Iterator[Readable]:
        """Open a regular file."""
        try:
            inode = self._inode(path)
            if inode is None:
                raise FileUnreadable("there is no such file")
            facts = self._volume.facts(inode)
            if facts.kind != _REGULAR:
                raise FileUnreadable("not a regular file")
            content = self._volume.content(inode)
        except _Broken as error:
            raise FileUnreadable(str(error)) from error
        try:
            yield _OpenFile(content, facts.size_bytes)
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

    def _directory(self, path: bytes) -> int | None:
        inode = self._inode(path)
        if inode is None or self._volume.facts(inode).kind != _DIRECTORY:
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
            if self._volume.facts(inode).kind != _DIRECTORY:
                return None
            found = self._found.within(inode, self._volume.listed).get(name)
            if found is None:
                return None
            inode = found
            self._found.remember(join(*names[:depth]), inode)
        return inode


def _described(path: TreePath, inode: int, facts: "_Facts") -> TreeEntry:
    if facts.kind == _REGULAR:
        return TreeFile(
            path, facts.size_bytes, facts.modified_ns, inode, facts.changed_ns
        )
    return NotAFile(path, _KINDS.get(facts.kind, "unknown"))


class _OpenFile(Readable):
    def __init__(self, content: "_Content", size_bytes: int) -> None:
        self._content = content
        self.size_bytes = size_bytes
        self._at = 0

    def read_at(self, start: int, length: int) -> bytes:
        length = min(length, self.size_bytes - start)
        if length <= 0:
            return b""
        try:
            return self._content.read(start, length)
        except _Broken as error:
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


# --- file systems -----------------------------------------------------------------


class _Broken(Exception):
    """Something on the disk that cannot be read, or makes no sense."""


class _Facts(NamedTuple):
    kind: int
    size_bytes: int
    modified_ns: int
    changed_ns: int


class _Image(pytsk3.Img_Info):  # type: ignore[misc]  # has no types
    """A source as pytsk3 wants it. Errors are kept, since it would lose them."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.failure = ""
        super().__init__(url="", type=pytsk3.TSK_IMG_TYPE_EXTERNAL)

    def get_size(self) -> int:
        return self._source.size_bytes

    def read(self, offset: int, size: int) -> bytes:
        try:
            if 0 <= offset < self._source.size_bytes and size > 0:
                return self._source.read(offset, size)
        except S3ExportError as error:
            self.failure = error.message
        return b""

    def close(self) -> None:
        pass


class _Content(Protocol):
    """An open inode."""

    @abstractmethod
    def read(self, start: int, length: int) -> bytes:
        """Return bytes that lie before the end."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""


class _Volume(Protocol):
    """A file system. Thread-safe."""

    root: int

    @abstractmethod
    def close(self) -> None:
        """Release it; idempotent."""

    @abstractmethod
    def warnings(self) -> tuple[str, ...]:
        """Say what may be wrong with what is read."""

    @abstractmethod
    def facts(self, inode: int) -> _Facts:
        """Return what is known of an inode."""

    @abstractmethod
    def content(self, inode: int) -> _Content:
        """Open a regular file, or a directory."""

    @abstractmethod
    def listed(self, directory: int) -> Iterator[tuple[bytes, int]]:
        """Yield names and inodes of a directory, without ``.`` and ``..``."""


def _reason(error: Exception) -> str:
    """Return the last line of a message, without the place in pytsk3's source."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].rpartition("error: ")[2]


def _opened(source: ByteSource) -> _Volume:
    sector = source.read(0, 512)
    superblock = source.read(1024, 1024)
    image = _Image(source)
    try:
        if sector[3:11] == b"NTFS    ":
            return _Ntfs(image)
        if len(superblock) == 1024 and superblock[0x38:0x3A] == b"\x53\xef":
            return _Ext(source, _ExtLayout(superblock, source.size_bytes))
    except _Broken as error:
        raise DeviceUnreadable(
            f"the file system cannot be read in userspace: {error}"
        ) from error
    raise DeviceUnreadable(
        f"no file system that can be read in userspace (ext2, ext3, ext4, NTFS)"
        f"{_something_else(image)}"
    )


def _something_else(image: _Image) -> str:
    try:
        kind = pytsk3.FS_Info(image, 0).info.ftype
    except _PYTSK_ERRORS:
        return f": {image.failure}" if image.failure else ""
    name = str(kind).rpartition("TSK_FS_TYPE_")[2]
    return f", but one of the kind {name}"


def _can_be(name: bytes) -> bool:
    return bool(name) and b"/" not in name and b"\0" not in name


def _too_short(wanted: int, there: int) -> str:
    return f"it is {wanted:,} bytes long, but there are only {there:,}"


# --- ext2, ext3, ext4 -------------------------------------------------------------

_RECOVER = 0x4
_META_BG = 0x10
_64BIT = 0x80
# Filetype, recover, meta_bg, extents, 64bit, mmp, flex_bg, ea_inode, csum_seed,
# inline_data, casefold.
_INCOMPATIBLE_KNOWN = 0x2 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2A000
_INCOMPATIBLE_NAMES = {
    0x1: "compression",
    0x8: "journal_dev",
    0x1000: "dirdata",
    0x4000: "large_dir",
    0x10000: "encrypt",
}
_SPARSE_SUPER = 0x1
_ENCRYPTED_INODE = 0x800
_EXTENTS = 0x80000
_INLINE_DATA = 0x10000000
_LONGEST_WRITTEN = 32768  # a longer extent is one of so many less, not yet written
_DEEPEST = 5
_NO_BLOCK = (1 << 32) - 1
_NODES_REMEMBERED = 64
_EXT_ROOT = 2
_EXT_KINDS = {
    0x1000: pytsk3.TSK_FS_META_TYPE_FIFO,
    0x2000: pytsk3.TSK_FS_META_TYPE_CHR,
    0x4000: pytsk3.TSK_FS_META_TYPE_DIR,
    0x6000: pytsk3.TSK_FS_META_TYPE_BLK,
    0x8000: pytsk3.TSK_FS_META_TYPE_REG,
    0xA000: pytsk3.TSK_FS_META_TYPE_LNK,
    0xC000: pytsk3.TSK_FS_META_TYPE_SOCK,
}


class _ExtLayout:
    """Where inodes lie, by the superblock."""

    def __init__(self, block: bytes, size_bytes: int) -> None:
        def number(at: int, form: str = "I") -> int:
            (found,) = struct.unpack_from("<" + form, block, at)
            return int(found)

        incompatible = number(0x60)
        for bit in (1 << n for n in range(32)):
            if incompatible & bit & ~_INCOMPATIBLE_KNOWN:
                name = _INCOMPATIBLE_NAMES.get(bit, f"0x{bit:x}")
                raise _Broken(f"it has the feature {name}")
        self.needs_recovery = bool(incompatible & _RECOVER)
        if number(0x18) > 5:  # in 64 KiB, record lengths are written in another way
            raise _Broken("its blocks are larger than 32 KiB")
        self.block_size = 1024 << number(0x18)
        self.inodes = number(0x0)
        dynamic = number(0x4C) > 0
        self.inode_size = number(0x58, "H") if dynamic else 128
        self.first_inode = number(0x54) if dynamic else 11
        self._inodes_per_group = number(0x28)
        self._blocks_per_group = number(0x20)
        if (
            self._inodes_per_group == 0
            or self._blocks_per_group == 0
            or self.inode_size < 128
            or self.inode_size > self.block_size
        ):
            raise _Broken("its superblock makes no sense")
        self._first_block = number(0x14)
        self._wide = bool(incompatible & _64BIT)
        self._descriptor_size = number(0xFE, "H") if self._wide else 32
        if self._descriptor_size not in range(64 if self._wide else 32, 1025):
            raise _Broken("its superblock makes no sense")
        self._sparse = bool(number(0x64) & _SPARSE_SUPER)
        self._first_meta = number(0x104) if incompatible & _META_BG else 1 << 32
        blocks = number(0x4) | (number(0x150) << 32 if self._wide else 0)
        self.size_bytes = blocks * self.block_size
        if self.size_bytes > size_bytes:
            raise _Broken(_too_short(self.size_bytes, size_bytes))

    def descriptor(self, inode: int) -> tuple[int, int]:
        """Return where the descriptor of an inode's group lies, and its length."""
        group = (inode - 1) // self._inodes_per_group
        per_block = self.block_size // self._descriptor_size
        meta, index = divmod(group, per_block)
        if meta < self._first_meta:
            block = 1024 // self.block_size + 1 + meta
        else:
            first = meta * per_block
            block = self._first_block + first * self._blocks_per_group
            block = max(block, 1024 // self.block_size) + self._has_superblock(first)
        return (
            block * self.block_size + index * self._descriptor_size,
            self._descriptor_size,
        )

    def place(self, inode: int, descriptor: bytes) -> int:
        """Return where an inode lies."""
        low, high = struct.unpack_from("<8xI28xI", descriptor.ljust(64, b"\0"))
        table = low | (high << 32 if self._wide else 0)
        index = (inode - 1) % self._inodes_per_group
        return int(table * self.block_size + index * self.inode_size)

    def _has_superblock(self, group: int) -> bool:
        if group <= 1 or not self._sparse:
            return True
        for base in (3, 5, 7):
            power = base
            while power < group:
                power *= base
            if power == group:
                return True
        return False


class _Ext(_Volume):
    """All parsed here; the bounds of every read are checked before it."""

    def __init__(self, source: ByteSource, layout: _ExtLayout) -> None:
        self.root = _EXT_ROOT
        self._source = source
        self._layout = layout
        self._descriptors = (-1, b"")
        self._inodes = (-1, b"")
        self._closed = False

    def close(self) -> None:
        self._closed = True

    def warnings(self) -> tuple[str, ...]:
        return (_STALE.format(name="ext4"),) if self._layout.needs_recovery else ()

    def facts(self, inode: int) -> _Facts:
        return _ext_facts(self._raw(inode))

    def content(self, inode: int) -> "_Content":
        raw = self._raw(inode)
        size = _ext_facts(raw).size_bytes
        (flags,) = struct.unpack_from("<I", raw, 0x20)
        if flags & _ENCRYPTED_INODE:
            raise _Broken("it is encrypted")
        if flags & _INLINE_DATA:
            return _InlineContent(_inline(raw, size))
        if flags & _EXTENTS:
            return _Extents(self, raw, size)
        return _Pointers(self, raw, size)

    def listed(self, directory: int) -> Iterator[tuple[bytes, int]]:
        size = self.facts(directory).size_bytes
        content = self.content(directory)
        if isinstance(content, _InlineContent):
            # The parent's inode, then what fits beside it, then in an attribute.
            whole = content.read(0, size)
            yield from _directory_entries(whole[4:60])
            yield from _directory_entries(whole[60:])
            return
        step = self._layout.block_size
        if size > self._layout.size_bytes:
            raise _Broken("the directory is larger than its file system")
        for start in range(0, size, _AT_ONCE):
            piece = content.read(start, min(_AT_ONCE, size - start))
            for at in range(0, len(piece), step):
                yield from _directory_entries(piece[at : at + step])

    @property
    def block_size(self) -> int:
        return self._layout.block_size

    def blocks(self, first: int, start: int, length: int) -> bytes:
        """Return bytes, counted from the start of a block of the file system."""
        at = first * self._layout.block_size + start
        if not 0 < at <= at + length <= self._layout.size_bytes:
            raise _Broken("it would lie beyond the end of the file system")
        return self._bytes(at, length)

    def _bytes(self, at: int, length: int) -> bytes:
        if self._closed:
            raise _Broken("the file system was closed")
        try:
            found = self._source.read(at, length)
        except DeviceUnreadable as error:
            raise _Broken(error.message) from error
        if len(found) != length:
            raise _Broken(f"the disk ends at byte {at + len(found):,}")
        return found

    def _raw(self, inode: int) -> bytes:
        layout = self._layout
        special = inode < layout.first_inode and inode != _EXT_ROOT
        if special or not 0 < inode <= layout.inodes:
            raise _Broken("its inode is none for files")
        place, length = layout.descriptor(inode)
        descriptor, self._descriptors = self._near(self._descriptors, place, length)
        place = layout.place(inode, descriptor)
        raw, self._inodes = self._near(self._inodes, place, layout.inode_size)
        return raw

    def _near(
        self, known: tuple[int, bytes], place: int, length: int
    ) -> tuple[bytes, tuple[int, bytes]]:
        """Return bytes, and those around them for the next time."""
        start, piece = known
        if not 0 <= start <= place <= place + length <= start + len(piece):
            start = place - place % 4096
            end = min(start + 8192, self._layout.size_bytes)
            if place + length > end:
                raise _Broken("its inode would lie beyond the end of the file system")
            piece = self._bytes(start, end - start)
        return piece[place - start : place - start + length], (start, piece)


class _InlineContent:
    """Content that lies in the inode."""

    def __init__(self, whole: bytes) -> None:
        self._whole = whole

    def read(self, start: int, length: int) -> bytes:
        return self._whole[start : start + length]

    def close(self) -> None:
        """Nothing is held."""


class _MappedContent:
    """Content in blocks; what no block is known for is zeros."""

    def __init__(self, volume: _Ext, raw: bytes, size: int) -> None:
        self._volume = volume
        self._map = raw[0x28:0x64]
        self._size = size
        self._nodes: OrderedDict[int, Any] = OrderedDict()

    def read(self, start: int, length: int) -> bytes:
        step = self._volume.block_size
        end = min(start + length, self._size)
        pieces = []
        while start < end:
            block, inside = divmod(start, step)
            place, count = self._run(block)
            got = min(end - start, count * step - inside)
            if place is None:
                pieces.append(bytes(got))
            else:
                pieces.append(self._volume.blocks(place, inside, got))
            start += got
        return b"".join(pieces)

    def close(self) -> None:
        """Nothing is held."""

    @abstractmethod
    def _run(self, block: int) -> tuple[int | None, int]:
        """Return where a block of the file lies, and for how many this holds on."""

    def _node(self, place: int, parse: Callable[[bytes], Any]) -> Any:
        if place not in self._nodes:
            whole = self._volume.blocks(place, 0, self._volume.block_size)
            self._nodes[place] = parse(whole)
            if len(self._nodes) > _NODES_REMEMBERED:
                self._nodes.popitem(last=False)
        return self._nodes[place]


class _Extents(_MappedContent):
    def _run(self, block: int) -> tuple[int | None, int]:
        depth, starts, records = _extent_node(self._map)
        end = _NO_BLOCK
        for _ in range(_DEEPEST + 1):
            index = bisect_right(starts, block) - 1
            if index + 1 < len(starts):
                end = min(end, starts[index + 1])
            if index < 0:
                break
            if depth == 0:
                count, high, low = struct.unpack("<HHI", records[index])
                written = count <= _LONGEST_WRITTEN
                count -= 0 if written else _LONGEST_WRITTEN
                ahead = block - starts[index]
                if ahead >= count:
                    break
                place = (high << 32 | low) + ahead
                return place if written else None, count - ahead
            low, high = struct.unpack("<IHxx", records[index])
            depth, starts, records = self._node(high << 32 | low, _extent_node)
        else:
            raise _Broken("its tree of extents is damaged")
        if end <= block:
            raise _Broken("it is longer than a file can be")
        return None, end - block


def _extent_node(node: bytes) -> tuple[int, list[int], list[bytes]]:
    magic, count, depth = struct.unpack_from("<HH2xH", node)
    if magic != 0xF30A or 12 + 12 * count > len(node) or depth > _DEEPEST:
        raise _Broken("its tree of extents is damaged")
    both = list(struct.iter_unpack("<I8s", node[12 : 12 + 12 * count]))
    starts = [start for start, _ in both]
    if any(a >= b for a, b in pairwise(starts)):
        raise _Broken("its tree of extents is damaged")
    return depth, starts, [record for _, record in both]


class _Pointers(_MappedContent):
    def _run(self, block: int) -> tuple[int | None, int]:
        pointers = _pointers(self._map)
        if block < 12:
            return _same_run(pointers[:12], block)
        per_block = self._volume.block_size // 4
        block -= 12
        for level in (1, 2, 3):
            if block < per_block**level:
                return self._below(pointers[11 + level], level, block, per_block)
            block -= per_block**level
        raise _Broken("it is longer than a file can be")

    def _below(
        self, place: int, level: int, block: int, per_block: int
    ) -> tuple[int | None, int]:
        while True:
            if place == 0:
                return None, per_block**level - block
            level -= 1
            pointers = self._node(place, _pointers)
            index, block = divmod(block, per_block**level)
            if level == 0:
                return _same_run(pointers, index)
            place = pointers[index]


def _pointers(node: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(node) // 4}I", node)


def _same_run(pointers: tuple[int, ...], index: int) -> tuple[int | None, int]:
    first = pointers[index]
    count = 1
    step = 1 if first else 0
    while (
        index + count < len(pointers)
        and pointers[index + count] == first + count * step
    ):
        count += 1
    return first or None, count


def _inline(raw: bytes, size: int) -> bytes:
    """Return content in an inode: 60 bytes, then the value of an attribute."""
    found = raw[0x28:0x64]
    if size > len(found):
        found += _system_data(raw)
    if len(found) < size:
        raise _Broken("the content in its inode is damaged")
    return found[:size]


def _system_data(raw: bytes) -> bytes:
    (extra,) = struct.unpack_from("<H", raw.ljust(0x82, b"\0"), 0x80)
    first = 128 + extra + 4
    if raw[first - 4 : first] != b"\0\0\x02\xea":
        return b""
    at = first
    while at + 16 <= len(raw) and raw[at : at + 4] != b"\0\0\0\0":
        length, group, offset, size = struct.unpack_from("<BBH4xI", raw, at)
        if group == 7 and raw[at + 16 : at + 16 + length] == b"data":
            return raw[first + offset : first + offset + size]
        at += (16 + length + 3) & ~3
    return b""


def _ext_facts(raw: bytes) -> _Facts:
    mode, low, links, high = struct.unpack_from("<H2xI18xH80xI", raw)
    kind = _EXT_KINDS.get(mode & 0xF000)
    if kind is None or links == 0:
        raise _Broken("its inode is not in use")
    size = low | (high << 32 if kind == pytsk3.TSK_FS_META_TYPE_REG else 0)
    if size >> 63:
        raise _Broken("its size makes no sense")
    return _Facts(int(kind), size, _time(raw, 0x10, 0x88), _time(raw, 0x0C, 0x84))


def _directory_entries(block: bytes) -> Iterator[tuple[bytes, int]]:
    at = 0
    while at < len(block):
        if at + 8 > len(block):
            raise _Broken("the directory is damaged")
        inode, length, name_length = struct.unpack_from("<IHB", block, at)
        name = block[at + 8 : at + 8 + name_length]
        if length < 8 + name_length or length % 4 or at + length > len(block):
            raise _Broken("the directory is damaged")
        if inode and name not in (b".", b".."):
            if not _can_be(name):
                raise _Broken(_NO_NAME)
            yield name, inode
        at += length


def _time(inode: bytes, at: int, extra_at: int) -> int:
    """Return nanoseconds: 32 bits signed, and in larger inodes 2 + 30 bits more."""
    (seconds,) = struct.unpack_from("<i", inode, at)
    extra = 0
    if len(inode) > 0x82:
        (extra_size,) = struct.unpack_from("<H", inode, 0x80)
        if 128 + extra_size >= extra_at + 4 <= len(inode):
            (extra,) = struct.unpack_from("<I", inode, extra_at)
    return int((seconds + ((extra & 3) << 32)) * 1_000_000_000 + (extra >> 2))


# --- NTFS -------------------------------------------------------------------------

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


class _Ntfs(_Volume):
    """NTFS as TSK sees it, without what is not a file of the user's.

    pytsk3 is not thread-safe: one call at a time. Helpers are called under the lock:
    what they hold is let go of when they return, and that frees memory of TSK.
    """

    def __init__(self, image: _Image) -> None:
        self.lock = threading.Lock()
        self._image = image
        try:
            self._fs = pytsk3.FS_Info(image, 0, pytsk3.TSK_FS_TYPE_NTFS)
        except _PYTSK_ERRORS as error:
            raise _Broken(image.failure or _reason(error)) from error
        info = self._fs.info
        self.root = int(info.root_inum)
        self._orphans = int(info.last_inum)  # a directory that TSK makes up
        length = int(info.block_count) * int(info.block_size)
        if length > image.get_size():
            raise _Broken(_too_short(length, image.get_size()))

    def close(self) -> None:
        with self.lock:
            self._fs = None

    @contextmanager
    def locked(self) -> Iterator[Any]:
        """Give the file system to one thread; turn its errors into ours."""
        with self.lock:
            if self._fs is None:
                raise _Broken("the file system was closed")
            self._image.failure = ""
            try:
                yield self._fs
            except _PYTSK_ERRORS as error:
                raise _Broken(self._image.failure or _reason(error)) from error

    def warnings(self) -> tuple[str, ...]:
        try:
            with self.locked() as fs:
                raw = _ntfs_attribute(fs.open_meta(inode=_VOLUME), _VOLUME_INFORMATION)
        except _Broken:
            raw = b""
        dirty = len(raw) >= 12 and raw[10] & 1
        return (_STALE.format(name="NTFS"),) if dirty else ()

    def facts(self, inode: int) -> _Facts:
        self._check(inode)
        with self.locked() as fs:
            return _ntfs_facts(fs, inode)

    def listed(self, directory: int) -> Iterator[tuple[bytes, int]]:
        self._check(directory)
        with self.locked() as fs:
            found = _ntfs_names(fs, directory)
        names = [(n, inode) for n, inode in found if self._is_a_users(inode)]
        yield from (pair for pair in names if _can_be(pair[0]))
        if not all(_can_be(name) for name, _ in names):
            raise _Broken(_NO_NAME)

    def content(self, inode: int) -> "_NtfsContent":
        self._check(inode)
        with self.locked() as fs:
            return _NtfsContent(self, *_ntfs_content(fs, inode))

    def _check(self, inode: int) -> None:
        if inode != self.root and not self._is_a_users(inode):
            raise _Broken("its record is none for files")

    def _is_a_users(self, inode: int) -> bool:
        return _METAFILES <= inode < self._orphans


class _NtfsContent:
    def __init__(self, volume: _Ntfs, handle: Any, stream: tuple[Any, ...]) -> None:
        self._volume = volume
        self._handle = handle
        self._stream = stream

    def read(self, start: int, length: int) -> bytes:
        with self._volume.locked():
            got: bytes = self._handle.read_random(start, length, *self._stream)
        if len(got) != length:
            raise _Broken(f"it ends at byte {start + len(got):,}, before its size")
        return got

    def close(self) -> None:
        with self._volume.lock:
            self._handle = None


def _ntfs_facts(fs: Any, inode: int) -> _Facts:
    handle = fs.open_meta(inode=inode)
    meta = handle.info.meta
    if meta is None or not int(meta.flags) & _ALLOCATED_INODE:
        raise _Broken("its record is not in use")
    kind, size = int(meta.type), 0
    for attribute in handle:
        info = attribute.info
        if int(info.type) == _DATA and not info.name:
            size = int(info.size)
        elif int(info.type) == _REPARSE_POINT:
            tag = int.from_bytes(_ntfs_attribute(handle, _REPARSE_POINT)[:4], "little")
            if tag not in _REPARSE_KINDS:
                raise _Broken(f"its content lies elsewhere (reparse tag 0x{tag:08x})")
            kind = int(_REPARSE_KINDS[tag])
            break
    if size < 0:
        raise _Broken("its size makes no sense")
    return _Facts(
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
                raise _Broken("it is encrypted")
            return handle, (info.type, int(info.id))
    return handle, ()


def _ntfs_names(fs: Any, directory: int) -> list[tuple[bytes, int]]:
    return [
        (bytes(name.name), int(name.meta_addr))
        for name in (file.info.name for file in fs.open_dir(inode=directory))
        if int(name.flags) & _ALLOCATED_NAME and name.name not in (b".", b"..")
    ]
