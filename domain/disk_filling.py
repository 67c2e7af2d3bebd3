"""How many disks a selection takes, and where each next one begins.

An estimate before the fact, on the safe side: AWS formats the disk itself, puts a
container on it, and stops in strict order when it is full (AWS Import/Export Developer
Guide, "Managing file exports"). What ext4 takes for itself is reckoned as mke2fs 1.47
does it, and held against real file systems in the tests.
"""

from dataclasses import dataclass, field

_MIB = 1 << 20
_BLOCK = 4096  # bytes; of ext4 from 512 MiB on, and of an NTFS cluster
_DIRECTORY_ENTRY = 12  # bytes beside the name, rounding included (ext4's own layout)
_HALF_FULL = 2  # directory blocks may be split in half

_INODE = 256  # bytes (mke2fs.conf)
_BYTES_AN_INODE = ((512 * _MIB, 4096), (4 << 40, 16384), (16 << 40, 32768))
"""mke2fs.conf: usage types small, (none), big; huge beyond."""
_BYTES_AN_INODE_HUGE = 65536

_JOURNALS = (
    (256 * _MIB, 4 * _MIB),
    (512 * _MIB, 8 * _MIB),
    (1 << 30, 16 * _MIB),
    (2 << 30, 32 * _MIB),
    (16 << 30, 64 * _MIB),
    (32 << 30, 128 * _MIB),
    (64 << 30, 256 * _MIB),
    (128 << 30, 512 * _MIB),
)
"""e2fsprogs, ``ext2fs_default_journal_size``; 1 GiB beyond. Blocks are of 4 KiB, and of
1 KiB below 512 MiB."""


SPARE_BYTES = 16 << 20
"""Kept free beside a container, for what else is on the disk."""

_BESIDE_BYTES = 6 << 20
_BESIDE_SHARE = 100
"""Not for files: what the partition table takes, what is kept for the log, and one part
in a hundred, so that a plan promises no more than the disk holds."""


def room_for_files(disk_bytes: int, *, in_container: bool = True) -> int:
    """Return the size of the file system that takes the files of a disk.

    The one reckoning for what a manifest selects and for what a load will take.

    Args:
        in_container: The files go into a container, which lies on a file system.

    """
    beside = _BESIDE_BYTES + disk_bytes // _BESIDE_SHARE
    inside = max(0, disk_bytes - beside)
    if in_container:
        return max(0, capacity_of(inside).size_bytes - SPARE_BYTES)
    return inside


@dataclass(frozen=True)
class Capacity:
    """What a disk has room for.

    Attributes:
        size_bytes: For the contents of files and directories, in whole blocks.
        inodes: Files and directories.

    """

    size_bytes: int
    inodes: int


def capacity_of(disk_bytes: int) -> Capacity:
    """Return what fits on an empty ext4 file system without reserved blocks."""
    per_inode = next(
        (each for below, each in _BYTES_AN_INODE if disk_bytes < below),
        _BYTES_AN_INODE_HUGE,
    )
    journal = next((size for below, size in _JOURNALS if disk_bytes < below), 1 << 30)
    inodes = disk_bytes // per_inode
    bitmaps = _MIB + min(disk_bytes // 128, 64 * _MIB) + disk_bytes // 8000
    taken = inodes * _INODE + journal + bitmaps
    return Capacity(max(0, disk_bytes - taken), max(0, inodes - 16))


@dataclass
class DiskShare:
    """What goes to one disk.

    Attributes:
        operation: The number of the operation it begins in.
        begin_marker: The last key of that operation on the disk before; empty if the
            disk begins with the operation.

    """

    operation: int
    begin_marker: str
    objects: int = 0
    size_bytes: int = 0


@dataclass(frozen=True)
class TooLarge:
    """An object that fits on no disk of the size."""

    operation: int
    key: str
    size_bytes: int


@dataclass
class DiskFilling:
    """Fills disks of one size with objects, in the order in which they are added.

    Attributes:
        shares: One a disk; the first may be empty.
        too_large: Objects that are left out.

    """

    disk_bytes: int
    shares: list[DiskShare] = field(default_factory=list)
    too_large: list[TooLarge] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.capacity = capacity_of(self.disk_bytes)
        self._bytes_left = 0
        self._inodes_left = 0
        self._directory: list[str] = []
        self._last = (-1, "")

    def add(self, operation: int, key: str, size_bytes: int) -> None:
        """Put an object on the disk that is being filled, or begin the next one."""
        if operation != self._last[0]:
            self._last = (operation, "")
        if not self.shares:
            self._begin(operation)
        if not self._put(operation, key, size_bytes):
            if self._is_too_large(key, size_bytes):
                self.too_large.append(TooLarge(operation, key, size_bytes))
                return
            self._begin(operation)
            self._put(operation, key, size_bytes)
        self._last = (operation, key)

    def _begin(self, operation: int) -> None:
        self.shares.append(DiskShare(operation, self._last[1]))
        self._bytes_left = self.capacity.size_bytes
        self._inodes_left = self.capacity.inodes
        self._directory = []

    def _put(self, operation: int, key: str, size_bytes: int) -> bool:
        directory = [str(operation), *key.split("/")[:-1]]
        new = _beyond(directory, self._directory)
        need = _bytes_for(key, size_bytes, new)
        if need > self._bytes_left or 1 + new > self._inodes_left:
            return False
        self._bytes_left -= need
        self._inodes_left -= 1 + new
        self._directory = directory
        self.shares[-1].objects += 1
        self.shares[-1].size_bytes += size_bytes
        return True

    def _is_too_large(self, key: str, size_bytes: int) -> bool:
        directories = key.count("/") + 1
        return _bytes_for(key, size_bytes, directories) > self.capacity.size_bytes or (
            1 + directories > self.capacity.inodes
        )


def _beyond(directory: list[str], last: list[str]) -> int:
    """Return how many directories are new after the last file's."""
    pairs = zip(directory, last, strict=False)
    common = next((n for n, (a, b) in enumerate(pairs) if a != b), None)
    if common is None:
        common = min(len(directory), len(last))
    return len(directory) - common


def _bytes_for(key: str, size_bytes: int, directories: int) -> int:
    blocks = -(-size_bytes // _BLOCK)
    name = len(key.rpartition("/")[2].encode()) + _DIRECTORY_ENTRY
    return (blocks + directories) * _BLOCK + name * _HALF_FULL
