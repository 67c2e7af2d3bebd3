"""Names of disks and partitions, as the kernel gives them."""

import re

_PARTITION = re.compile(
    r"^(?P<disk>(?:nvme\d+n\d+|mmcblk\d+|loop\d+|md\d+|nbd\d+|zd\d+))p(?P<digits>\d+)$"
    r"|^(?P<letters>(?:sd|hd|vd|xvd)[a-z]+)(?P<number>\d+)$"
)
_DISK = re.compile(
    r"^(?:nvme\d+n\d+|mmcblk\d+|loop\d+|md\d+|nbd\d+|zd\d+|(?:sd|hd|vd|xvd)[a-z]+)$"
)


def split_partition(name: str) -> tuple[str, int | None]:
    """Split a kernel name into disk and partition number.

    ``sdb1`` is partition 1 of ``sdb``; ``nvme0n1`` is a disk although it ends in a
    digit, its first partition is ``nvme0n1p1``. The kernel's rule: a disk whose name
    ends in a digit takes a ``p`` before the number (``disk_name`` in
    ``block/genhd.c``).

    Returns:
        The disk's name and the number, or ``None`` in its place for a whole disk or
        a name of no known form.

    """
    found = _PARTITION.match(name)
    if not found:
        return name, None
    if found["disk"]:
        return found["disk"], int(found["digits"])
    return found["letters"], int(found["number"])


def partition_name(disk: str, number: int) -> str:
    """Return the kernel's name for a partition: the inverse of `split_partition`."""
    if number < 1:
        raise ValueError("partitions are counted from 1")
    return f"{disk}{'p' if disk[-1:].isdigit() else ''}{number}"


def is_disk_name(name: str) -> bool:
    """Say whether a kernel name is a whole disk of a known kind."""
    return _DISK.match(name) is not None
