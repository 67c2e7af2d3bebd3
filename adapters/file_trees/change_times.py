"""Which file systems keep the time at which an inode was changed (ctime)."""

import os
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_KEEPERS = frozenset(
    {
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs"),
        *("bcachefs", "nilfs2", "ntfs3", "tmpfs", "ramfs", "overlay", "nfs", "nfs4"),
    }
)
"""All others may answer with another time: exfat, vfat and iso9660 of Linux with that
of the content (``fs/exfat/inode.c``, ``fs/fat/inode.c``), which copying tools set; a
FUSE file system with whatever its program says."""


def are_kept(directory: str) -> bool:
    """Say whether the ctime below a directory is when something was written there."""
    return _file_system(directory) in _KEEPERS


def _file_system(directory: str) -> str:
    """Return the type of what is mounted there, by ``/proc/self/mountinfo`` (proc(5)).

    Empty where nothing tells it.
    """
    place = os.fsencode(os.path.realpath(directory))
    deepest, kind = -1, b""
    for line in _MOUNTS.read_bytes().split(b"\n"):
        before, _, after = line.partition(b" - ")
        fields = before.split(b" ")
        if len(fields) < 5:
            continue
        point = _plain(fields[4])
        inside = place == point or place.startswith(point.rstrip(b"/") + b"/")
        if inside and len(point) >= deepest:  # the last of several is on top
            deepest, kind = len(point), after.split(b" ")[0]
    return os.fsdecode(kind)


def _plain(text: bytes) -> bytes:
    """Undo the kernel's octal escapes of blanks and backslashes."""
    head, *rest = text.split(b"\\")
    return head + b"".join(bytes([int(part[:3], 8)]) + part[3:] for part in rest)
