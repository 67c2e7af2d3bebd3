"""File systems read in userspace."""

import os
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

from fuzz.mutations import Edit, Field, Fields, copied, field_edits
from fuzz.sources import Fenced
from fuzz.targets import Target, is_of_memory
from s3export.adapters.byte_sources import ByteSource
from s3export.adapters.file_trees.userspace import UserspaceTree
from s3export.domain.backup_layout import ROOT, TreePath
from s3export.domain.errors import S3ExportError
from s3export.domain.ports import Damaged, NotAFile, TreeFile

_BUDGET_BYTES = 8 << 20
_EACH_BYTES = 1 << 20
_AT_ONCE = 1 << 16
_UUID = "11111111-2222-3333-4444-555555555555"

EXT_OPTIONS = {
    "ext4": "-t ext4 -b 1024 -J size=1 -O ^metadata_csum",
    "ext4-4k": "-t ext4 -b 4096 -O ^has_journal,^metadata_csum",
    "ext4-inline": "-t ext4 -b 1024 -O inline_data,^has_journal -I 256",
    "ext4-meta-bg": "-t ext4 -b 1024 -O meta_bg,^resize_inode,^has_journal -g 1024",
    "ext2": "-t ext2 -b 1024",
    "ext2-4k": "-t ext2 -b 4096 -I 128",
}


def read_everything(source: ByteSource) -> None:
    """Walk a tree, look everything up again, and read some of every file."""
    budget = _BUDGET_BYTES
    buffer = bytearray(_AT_ONCE)
    with UserspaceTree(source) as tree, UserspaceTree(source) as other:
        for entry in tree.entries(ROOT):
            assert isinstance(entry, TreeFile | NotAFile | Damaged)
            assert not entry.path.startswith(b"/"), "a name is empty"
            assert entry.path.find(b"//") < 0, "a name is empty"
            if isinstance(entry, Damaged):
                assert not is_of_memory(entry.reason), entry.reason
            if isinstance(entry, TreeFile):
                assert entry.size_bytes >= 0
            if not isinstance(entry, TreeFile) or budget <= 0:
                continue
            try:
                with tree.open(entry.path) as file:
                    for _ in range(_EACH_BYTES // _AT_ONCE):
                        got = file.readinto(buffer)
                        budget -= got
                        if not got:
                            break
                with other.source(entry.path) as bytes_:
                    size = bytes_.size_bytes
                    for at in (size - 1, size // 2, size - _AT_ONCE, 1 << 32, 0):
                        if at >= 0:
                            assert len(bytes_.read(at, 5000)) <= 5000
            except S3ExportError as error:
                assert not is_of_memory(error.message), error.message
        for name in other.names(ROOT):
            other.has_directory(TreePath(name))


class _Trees(Target):
    """Images; each kind finds its own fields."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Fields, list[int], int]] = {}

    def read(self, data: bytes) -> None:
        fenced = Fenced(data)
        try:
            read_everything(fenced.slice())
        finally:
            fenced.check()

    def edits(self, base: str, data: bytes, chance: Random) -> list[Edit]:
        if base not in self._known:
            self._known[base] = self._structures(data)
        fields, places, size = self._known[base]
        edits = field_edits(data, fields, chance, "little")
        return edits + copied(data, places, size, chance)

    def _structures(self, data: bytes) -> tuple[Fields, list[int], int]:
        """Return fields, and where things of one size are that can be exchanged."""
        raise NotImplementedError


class ExtTrees(_Trees):
    """Of ext2, ext3 and ext4."""

    name = "ext"

    def corpus(self, scratch: Path) -> Mapping[str, bytes]:
        root = scratch / "root"
        _fill(root)
        found = {}
        for name, options in EXT_OPTIONS.items():
            image = scratch / name
            line = f"mke2fs -q -F {options} -U {_UUID} -E hash_seed={_UUID} -N 512"
            subprocess.run(
                [*line.split(), "-d", root, image, "3M"],
                check=True,
                capture_output=True,
                timeout=100,
                env={**os.environ, "E2FSPROGS_FAKE_TIME": "1500000000"},
            )
            # It makes the hash indices.
            subprocess.run(
                ["e2fsck", "-fyD", image], capture_output=True, timeout=100, check=False
            )
            found[name] = image.read_bytes()
        return found

    def _structures(self, data: bytes) -> tuple[Fields, list[int], int]:
        layout = _Layout(data)
        inodes = list(layout.inodes())
        blocks = list(layout.directory_blocks(inodes))
        fields = {
            "superblock": [Field(1024 + at, 4) for at in range(0, 0x170, 4)],
            "superblock's halves": [
                Field(1024 + at, 2) for at in (0x38, 0x3A, 0x58, 0x5A, 0xFE, 0x15C)
            ],
            "group descriptor": [
                Field(layout.table + at, 4)
                for at in range(0, layout.groups * layout.descriptor, 4)
            ],
            "inode": [
                Field(at + place, size)
                for at in inodes
                for place, size in (
                    (0, 2),
                    (4, 4),
                    (0x1A, 2),
                    (0x20, 4),
                    (0x6C, 4),
                    (0x80, 2),
                    (0x10, 4),
                    (0x88, 4),
                )
            ],
            "block map": [
                Field(at + place, 4) for at in inodes for place in range(0x28, 0x64, 4)
            ],
            "extent header": [
                Field(at + place, 2)
                for at in (*(at + 0x28 for at in inodes), *layout.extent_blocks())
                for place in range(0, 24, 2)
                if data[at : at + 2] == b"\x0a\xf3"
            ],
            "extent block": [
                Field(at + place, 4)
                for at in layout.extent_blocks()
                for place in range(12, 96, 4)
            ],
            "indirect block": [
                Field(at + place, 4)
                for at in layout.indirect_blocks(inodes)
                for place in range(0, 128, 4)
            ],
            "attribute in an inode": [
                Field(at + place, 2) for at in inodes for place in range(0x98, 0xD0, 2)
            ]
            if layout.inode_size > 128
            else [],
            "directory entry": [
                Field(at + place, size)
                for at in layout.entries(blocks)
                for place, size in ((0, 4), (4, 2), (6, 1), (7, 1), (8, 1), (9, 1))
            ],
            "hash index": [
                Field(at + place, size)
                for at in blocks
                for place, size in (
                    (0x18, 4),
                    (0x1C, 1),
                    (0x1D, 1),
                    (0x1E, 1),
                    (0x20, 2),
                    (0x22, 2),
                    (0x24, 4),
                    (0x28, 4),
                )
            ],
        }
        return fields, inodes, layout.inode_size


def _fill(root: Path) -> None:
    """Make files and directories of every form that a file system keeps them in."""
    chance = random.Random(3)
    (root / "a/b/c").mkdir(parents=True)
    (root / "many").mkdir()
    for number in range(220):
        name = f"name-{number}-{'n' * (number % 50)}"
        (root / "many" / name).write_bytes(b"%d" % number)
    (root / "a/big").write_bytes(chance.randbytes(400_000))
    (root / "a/b/tiny").write_bytes(b"tiny" * 30)
    with (root / "a/fragments").open("wb") as file:
        for number in range(60):
            file.seek(number * 9000)
            file.write(b"z")
    with (root / "sparse").open("wb") as file:
        for place in (0, 300_000, 80_000_000):
            file.seek(place)
            file.write(b"s" * 100)
    (root / "a/link").symlink_to("/etc/shadow")
    (root / "a/far").symlink_to("../" * 40)
    os.mkfifo(root / "fifo")
    for path in (*root.rglob("*"), root):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (1_400_000_000, 1_500_000_000))


class _Layout:
    """Where an undamaged image has its structures; simple images only."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        block = data[1024:2048]
        self.block = 1024 << struct.unpack_from("<I", block, 0x18)[0]
        (blocks,) = struct.unpack_from("<I", block, 4)
        (per_group,) = struct.unpack_from("<I", block, 0x20)
        (self._inodes_per_group,) = struct.unpack_from("<I", block, 0x28)
        (self.inode_size,) = struct.unpack_from("<H", block, 0x58)
        wide = struct.unpack_from("<I", block, 0x60)[0] & 0x80
        self.descriptor = 64 if wide else 32
        self.groups = -(-blocks // per_group)
        self.table = 2048 if self.block == 1024 else self.block

    def inodes(self) -> Iterator[int]:
        """Yield where inodes in use are."""
        for group in range(self.groups):
            at = self.table + group * self.descriptor
            (table,) = struct.unpack_from("<I", self._data, at + 8)
            for number in range(self._inodes_per_group):
                place = table * self.block + number * self.inode_size
                raw = self._data[place : place + 128]
                if len(raw) == 128 and raw[0x1A:0x1C] not in (b"\0\0", b""):
                    yield place

    def directory_blocks(self, inodes: list[int]) -> Iterator[int]:
        """Yield the blocks of directories, as far as their inodes name them."""
        for at in inodes:
            (mode,) = struct.unpack_from("<H", self._data, at)
            if mode & 0xF000 != 0x4000:
                continue
            first = at + 0x28
            if self._data[first : first + 2] == b"\x0a\xf3":
                (count,) = struct.unpack_from("<H", self._data, first + 2)
                for number in range(min(count, 4)):
                    length, _, start = struct.unpack_from(
                        "<HHI", self._data, first + 12 + 12 * number + 4
                    )
                    for each in range(length):
                        yield (start + each) * self.block
            else:
                for start in struct.unpack_from("<12I", self._data, first):
                    if 0 < start < len(self._data) // self.block:
                        yield start * self.block

    def entries(self, blocks: list[int]) -> Iterator[int]:
        """Yield where directory entries are."""
        for at in blocks:
            place = at
            while place < at + self.block and place + 8 < len(self._data):
                yield place
                (length,) = struct.unpack_from("<H", self._data, place + 4)
                place += max(length, 8)

    def extent_blocks(self) -> Iterator[int]:
        """Yield the blocks that are nodes of a tree of extents."""
        for at in range(0, len(self._data), self.block):
            if self._data[at : at + 2] == b"\x0a\xf3":
                yield at

    def indirect_blocks(self, inodes: list[int]) -> Iterator[int]:
        """Yield blocks of block numbers, and those that these name first."""
        for at in inodes:
            if self._data[at + 0x28 : at + 0x2A] == b"\x0a\xf3":
                continue
            for pointer in struct.unpack_from("<3I", self._data, at + 0x58):
                if 0 < pointer < len(self._data) // self.block:
                    yield pointer * self.block


class NtfsTrees(_Trees):
    """Of NTFS."""

    name = "ntfs"

    def corpus(self, scratch: Path) -> Mapping[str, bytes]:
        found = {}
        for name, cluster in (("ntfs", "4096"), ("ntfs-512", "512")):
            image = scratch / name
            with image.open("wb") as file:
                file.truncate(2 << 20)
            line = f"mkntfs -F -q -Q -c {cluster} -p 0 -H 255 -S 63"
            _run(*line.split(), image)
            chance = random.Random(5)
            for number in range(24):
                file_ = scratch / f"file-{number}"
                body = chance.randbytes(chance.choice((0, 20, 700, 5000, 40_000)))
                file_.write_bytes(body)
                _run("ntfscp", "-f", image, file_, f"{'n' * (number * 3)}{number}")
            _run("ntfscp", "-f", "-N", "other", image, scratch / "file-3", "0")
            found[name] = image.read_bytes()
        return found

    def _structures(self, data: bytes) -> tuple[Fields, list[int], int]:
        records = [
            at for at in range(0, len(data), 1024) if data[at : at + 4] == b"FILE"
        ]
        used = [at for at in records if data[at + 22] & 1]
        indices = [
            at for at in range(0, len(data), 512) if data[at : at + 4] == b"INDX"
        ]
        fields = {
            "boot sector": [
                Field(at, size)
                for at, size in (
                    (0x0B, 2),
                    (0x0D, 1),
                    (0x28, 8),
                    (0x30, 8),
                    (0x38, 8),
                    (0x40, 1),
                    (0x44, 1),
                    (0x48, 8),
                )
            ],
            "record": [
                Field(at + place, size)
                for at in used
                for place, size in (
                    (4, 2),
                    (6, 2),
                    (16, 2),
                    (18, 2),
                    (20, 2),
                    (22, 2),
                    (24, 4),
                    (28, 4),
                    (32, 8),
                    (40, 2),
                )
            ],
            "index block": [
                Field(at + place, 4) for at in indices for place in range(4, 48, 4)
            ],
            "index entry": [
                Field(at + place, 2) for at in indices for place in range(64, 1024, 2)
            ],
        }
        for kind, at, place, size in _attributes(data, used):
            fields.setdefault(kind, []).append(Field(at + place, size))
        return fields, used, 1024


def _attributes(data: bytes, records: list[int]) -> Iterator[tuple[str, int, int, int]]:
    """Yield the fields of all attributes: their kind, place, offset and size."""
    for record in records:
        (at,) = struct.unpack_from("<H", data, record + 20)
        at += record
        while at + 64 <= record + 1024:
            kind, length, resident = struct.unpack_from("<IIB", data, at)
            if kind == 0xFFFFFFFF or not 24 <= length <= 1024:
                break
            for place, size in ((0, 4), (4, 4), (8, 1), (9, 1), (10, 2), (12, 2)):
                yield "attribute", at, place, size
            if resident:
                for place in (16, 24, 40, 48, 56):
                    yield "attribute of clusters", at, place, 8
                yield "attribute of clusters", at, 34, 2
                for place in range(64, min(length, 96)):
                    yield "runs of clusters", at, place, 1
            else:
                yield "resident attribute", at, 16, 4
                yield "resident attribute", at, 20, 2
                for place in range(24, length - 3, 4):
                    yield f"content of 0x{kind:x}", at, place, 4
            at += length


def _run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True, capture_output=True, timeout=100)


def lacking() -> str:
    """Say which programs are missing to make images; empty where none is."""
    needed = ("mke2fs", "e2fsck", "mkntfs", "ntfscp")
    return ", ".join(name for name in needed if not shutil.which(name))
