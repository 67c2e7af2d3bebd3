"""ext2, ext3 and ext4, parsed here.

TSK 4.15 was tried: it makes up names where the bytes of a directory's hash index look
like an entry (three in a directory of 40,000), lists every block of a file with block
pointers before the first is read (minutes, for a sparse one or a damaged size), and
takes times for unsigned.

Layouts: kernel.org, "ext4 Data Structures and Algorithms".
"""

import struct
from abc import abstractmethod
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytsk3

from s3export.adapters.byte_sources import ByteSource
from s3export.adapters.file_trees.volumes import (
    NO_NAME,
    REGULAR,
    STALE,
    Broken,
    Content,
    CutOff,
    Facts,
    Volume,
)
from s3export.domain.errors import DeviceUnreadable

_AT_ONCE = 1 << 16  # of a directory, in bytes
_WINDOW_BYTES = 1 << 18  # of the tables of inodes: reading more is no slower on a disk
_WINDOWS = 64
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
    0x1000: int(pytsk3.TSK_FS_META_TYPE_FIFO),
    0x2000: int(pytsk3.TSK_FS_META_TYPE_CHR),
    0x4000: int(pytsk3.TSK_FS_META_TYPE_DIR),
    0x6000: int(pytsk3.TSK_FS_META_TYPE_BLK),
    0x8000: int(pytsk3.TSK_FS_META_TYPE_REG),
    0xA000: int(pytsk3.TSK_FS_META_TYPE_LNK),
    0xC000: int(pytsk3.TSK_FS_META_TYPE_SOCK),
}


class ExtLayout:
    """Where inodes lie, by the superblock."""

    def __init__(self, block: bytes, size_bytes: int) -> None:
        def number(at: int, form: str = "I") -> int:
            (found,) = struct.unpack_from("<" + form, block, at)
            return int(found)

        incompatible = number(0x60)
        for bit in (1 << n for n in range(32)):
            if incompatible & bit & ~_INCOMPATIBLE_KNOWN:
                name = _INCOMPATIBLE_NAMES.get(bit, f"0x{bit:x}")
                raise Broken(f"it has the feature {name}")
        self.needs_recovery = bool(incompatible & _RECOVER)
        if number(0x18) > 5:  # in 64 KiB, record lengths are written in another way
            raise Broken("its blocks are larger than 32 KiB")
        self.block_size = 1024 << number(0x18)
        self.inodes = number(0x0)
        dynamic = number(0x4C) > 0
        self.inode_size = number(0x58, "H") if dynamic else 128
        self.first_inode = number(0x54) if dynamic else 11
        self.inodes_per_group = number(0x28)
        self._blocks_per_group = number(0x20)
        if (
            self.inodes_per_group == 0
            or self._blocks_per_group == 0
            or self.inode_size < 128
            or self.inode_size > self.block_size
        ):
            raise Broken("its superblock makes no sense")
        self._first_block = number(0x14)
        self._wide = bool(incompatible & _64BIT)
        self._descriptor_size = number(0xFE, "H") if self._wide else 32
        if self._descriptor_size not in range(64 if self._wide else 32, 1025):
            raise Broken("its superblock makes no sense")
        self._sparse = bool(number(0x64) & _SPARSE_SUPER)
        self._first_meta = number(0x104) if incompatible & _META_BG else 1 << 32
        blocks = number(0x4) | (number(0x150) << 32 if self._wide else 0)
        self.size_bytes = blocks * self.block_size
        if self.size_bytes > size_bytes:
            raise CutOff(self.size_bytes, size_bytes)

    def descriptor(self, group: int) -> tuple[int, int]:
        """Return where the descriptor of a group lies, and its length."""
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

    def table(self, descriptor: bytes) -> int:
        """Return where the inodes of a group begin."""
        low, high = struct.unpack_from("<8xI28xI", descriptor.ljust(64, b"\0"))
        return int((low | (high << 32 if self._wide else 0)) * self.block_size)

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


class ExtVolume(Volume):
    """All parsed here; the bounds of every read are checked before it."""

    def __init__(self, source: ByteSource, layout: ExtLayout) -> None:
        self.root = _EXT_ROOT
        self._source = source
        self._layout = layout
        self._tables: dict[int, int] = {}  # where each group's inodes begin
        self._windows: dict[int, bytes] = {}
        self._closed = False

    def close(self) -> None:
        """Release it; idempotent."""
        self._closed = True

    def warnings(self) -> tuple[str, ...]:
        """Say whether the journal waits to be replayed."""
        return (STALE.format(name="ext4"),) if self._layout.needs_recovery else ()

    def facts(self, inode: int) -> Facts:
        """Return what is known of an inode."""
        layout = self._layout
        # Of a million files nearly all are found here: no call, no copy.
        if layout.first_inode <= inode <= layout.inodes:
            group, index = divmod(inode - 1, layout.inodes_per_group)
            table = self._tables.get(group)
            if table is not None:
                place = table + index * layout.inode_size
                window = self._windows.get(place // _WINDOW_BYTES, b"")
                inside = place % _WINDOW_BYTES
                if inside + layout.inode_size <= len(window):
                    return _ext_facts(window, inside, layout.inode_size)
        return _ext_facts(self._raw(inode))

    def place(self, inode: int) -> int:
        """Return the block that a file or directory begins in, as far as it is near."""
        raw = self._raw(inode)
        (flags,) = struct.unpack_from("<I", raw, 0x20)
        if flags & _INLINE_DATA:
            return 0  # its inode is at hand
        if flags & _EXTENTS:
            return _first_below(raw)
        return int(struct.unpack_from("<I", raw, 0x28)[0])

    def content(self, inode: int) -> Content:
        """Open a regular file, or a directory."""
        raw = self._raw(inode)
        size = _ext_facts(raw).size_bytes
        (flags,) = struct.unpack_from("<I", raw, 0x20)
        if flags & _ENCRYPTED_INODE:
            raise Broken("it is encrypted")
        if flags & _INLINE_DATA:
            return _InlineContent(_inline(raw, size))
        if flags & _EXTENTS:
            return _Extents(self, raw, size)
        return _Pointers(self, raw, size)

    def listed(self, directory: int) -> Iterator[tuple[bytes, int]]:
        """Yield names and inodes of a directory."""
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
            raise Broken("the directory is larger than its file system")
        for start in range(0, size, _AT_ONCE):
            piece = content.read(start, min(_AT_ONCE, size - start))
            for at in range(0, len(piece), step):
                yield from _directory_entries(piece[at : at + step])

    @property
    def block_size(self) -> int:
        """In bytes."""
        return self._layout.block_size

    def blocks(self, first: int, start: int, length: int) -> bytes:
        """Return bytes, counted from the start of a block of the file system."""
        at = first * self._layout.block_size + start
        if not 0 < at <= at + length <= self._layout.size_bytes:
            raise Broken("it would lie beyond the end of the file system")
        return self._bytes(at, length)

    def _bytes(self, at: int, length: int) -> bytes:
        if self._closed:
            raise Broken("the file system was closed")
        try:
            found = self._source.read(at, length)
        except DeviceUnreadable as error:
            raise Broken(error.message) from error
        if len(found) != length:
            raise Broken(f"the disk ends at byte {at + len(found):,}")
        return found

    def _raw(self, inode: int) -> bytes:
        layout = self._layout
        special = inode < layout.first_inode and inode != _EXT_ROOT
        if special or not 0 < inode <= layout.inodes:
            raise Broken("its inode is none for files")
        group, index = divmod(inode - 1, layout.inodes_per_group)
        table = self._tables.get(group)
        if table is None:
            descriptor = self._near(*layout.descriptor(group))
            table = self._tables[group] = layout.table(descriptor)
        return self._near(table + index * layout.inode_size, layout.inode_size)

    def _near(self, place: int, length: int) -> bytes:
        """Return bytes, and keep those around them for the next time."""
        number, inside = divmod(place, _WINDOW_BYTES)
        window = self._windows.get(number)
        if window is None:
            window = self._window(number)
        found = window[inside : inside + length]
        if len(found) == length:
            return found
        if not 0 <= place <= place + length <= self._layout.size_bytes:
            raise Broken("its inode would lie beyond the end of the file system")
        return self._bytes(place, length)

    def _window(self, number: int) -> bytes:
        """Return the bytes around some; none where not all of them can be read."""
        start = number * _WINDOW_BYTES
        length = min(_WINDOW_BYTES, self._layout.size_bytes - start)
        if start < 0 or length <= 0:
            return b""
        try:
            window = self._bytes(start, length)
        except Broken:
            window = b""  # but perhaps those that are asked for
        # Other threads look at the same windows: one set of them takes another's place.
        kept = self._windows if len(self._windows) < _WINDOWS else {}
        self._windows = {**kept, number: window}
        return window


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

    def __init__(self, volume: ExtVolume, raw: bytes, size: int) -> None:
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
            raise Broken("its tree of extents is damaged")
        if end <= block:
            raise Broken("it is longer than a file can be")
        return None, end - block


def _extent_node(node: bytes) -> tuple[int, list[int], list[bytes]]:
    magic, count, depth = struct.unpack_from("<HH2xH", node)
    if magic != 0xF30A or 12 + 12 * count > len(node) or depth > _DEEPEST:
        raise Broken("its tree of extents is damaged")
    both = list(struct.iter_unpack("<I8s", node[12 : 12 + 12 * count]))
    starts = [start for start, _ in both]
    if any(a >= b for a, b in pairwise(starts)):
        raise Broken("its tree of extents is damaged")
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
        raise Broken("it is longer than a file can be")

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
        raise Broken("the content in its inode is damaged")
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


def _first_below(raw: bytes) -> int:
    """Return the first block that the root of a tree of extents names; 0 for none."""
    magic, count, depth = struct.unpack_from("<HH2xH", raw, 0x28)
    if magic != 0xF30A or not count:
        return 0
    if depth:
        low, high = struct.unpack_from("<4xIH", raw, 0x28 + 12)
    else:
        high, low = struct.unpack_from("<6xHI", raw, 0x28 + 12)
    return int(high << 32 | low)


# Mode, size, ctime, mtime, links, upper half of the size.
_FACTS = struct.Struct("<H2xI4xii6xH80xI")
# The same; how much there is from byte 128 on; 2 bits of seconds and 30 of nanoseconds.
_MORE_FACTS = struct.Struct("<H2xI4xii6xH80xI16xH2xII")
_SECOND = 1_000_000_000


def _ext_facts(raw: bytes, at: int = 0, length: int = 0) -> Facts:
    """Return what an inode says that lies somewhere in some bytes."""
    changed_more = modified_more = 0
    if (length or len(raw)) >= _MORE_FACTS.size:
        mode, low, changed, modified, links, high, extra, *more = (
            _MORE_FACTS.unpack_from(raw, at)
        )
        changed_more = more[0] if extra >= 8 else 0
        modified_more = more[1] if extra >= 12 else 0
    else:
        mode, low, changed, modified, links, high = _FACTS.unpack_from(raw, at)
    kind = _EXT_KINDS.get(mode & 0xF000)
    if kind is None or links == 0:
        raise Broken("its inode is not in use")
    size = low | high << 32 if kind == REGULAR else low
    if size >> 63:
        raise Broken("its size makes no sense")
    return Facts(
        kind,
        size,
        (modified + ((modified_more & 3) << 32)) * _SECOND + (modified_more >> 2),
        (changed + ((changed_more & 3) << 32)) * _SECOND + (changed_more >> 2),
    )


_ENTRY = struct.Struct("<IHB")


def _directory_entries(block: bytes) -> Iterator[tuple[bytes, int]]:
    at = 0
    while at < len(block):
        if at + 8 > len(block):
            raise Broken("the directory is damaged")
        inode, length, name_length = _ENTRY.unpack_from(block, at)
        name = block[at + 8 : at + 8 + name_length]
        if length < 8 + name_length or length % 4 or at + length > len(block):
            raise Broken("the directory is damaged")
        if inode and name != b"." and name != b"..":
            if not name or b"/" in name or b"\0" in name:
                raise Broken(NO_NAME)
            yield name, inode
        at += length
