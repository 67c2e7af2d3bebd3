"""Names of disks and partitions, what was seen of a disk, and whether it may be used.

What is decided here is decided from facts alone, so that every layout of disks can be
a row in a test. The facts are gathered by an adapter.
"""

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

SYSTEM_MOUNT_POINTS = frozenset(
    {"/", "/boot", "/boot/efi", "/efi", "/usr", "/var", "/home", "/root", "/snap"}
)
"""A disk mounted at one of these carries the running system."""

SWAP = "[SWAP]"
"""What ``lsblk`` gives as the mount point of swap space in use."""

SMALLEST_DISK_BYTES = 16 * 1024 * 1024
"""Below this no partition table and ext4 with a journal fit side by side."""

LARGEST_DISK_BYTES = 16 * 10**12
"""AWS Import/Export Developer Guide, limits: devices up to 16 TB."""

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


class DeviceKind(enum.Enum):
    """What the operator named."""

    DISK = "disk"
    PARTITION = "partition"
    IMAGE = "image file"
    DIRECTORY = "directory"
    OTHER = "other"


@dataclass(frozen=True)
class DeviceFacts:
    """What was seen of a device, an image or a directory, and of all that stands on it.

    Attributes:
        path: As the operator gave it, links resolved for block devices.
        size_bytes: Of the device or image; 0 for a directory.
        serial, model, transport: As the disk reports them; empty where it does not.
        removable: The kernel calls it removable, or it hangs on USB or a card reader.
        read_only: Writing is refused by the kernel or by the file's permissions.
        signatures: File systems, partition tables and containers recognised on it
            (``ext4``, ``gpt``, ``crypto_LUKS``); none recognised is not "empty".
        mount_points: Where it is mounted now, `SWAP` included.
        held: Another process or the kernel holds it exclusively.
        parts: Partitions, mappings and loop devices that stand on it.

    """

    path: str
    kind: DeviceKind
    size_bytes: int = 0
    serial: str = ""
    model: str = ""
    transport: str = ""
    removable: bool = False
    read_only: bool = False
    signatures: tuple[str, ...] = ()
    mount_points: tuple[str, ...] = ()
    held: bool = False
    parts: tuple["DeviceFacts", ...] = ()

    def tree(self) -> Iterator["DeviceFacts"]:
        """Yield this device and everything that stands on it, top down."""
        yield self
        for part in self.parts:
            yield from part.tree()

    @property
    def name_to_confirm(self) -> str:
        """What an operator types to confirm: the serial, or the path without one."""
        return self.serial or self.path

    def identity(self) -> tuple[object, ...]:
        """Return what must not change between judging a device and writing to it."""
        return (self.path, self.kind, self.size_bytes, self.serial, self.model)


@dataclass(frozen=True)
class Refusal:
    """Why a device may not be used, and the way out."""

    reason: str
    way_out: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.way_out})" if self.way_out else self.reason


def refusals_to_write(facts: DeviceFacts) -> tuple[Refusal, ...]:
    """Judge whether a device may be written to; no refusal means it may.

    Every reason is given at once. A disk is refused whole when anything that stands
    on it is in use: a partition, a mapping, or a loop device attached to it.
    """
    if facts.kind is DeviceKind.DIRECTORY:
        return (
            Refusal(
                f"{facts.path} is a directory, not a disk",
                "name the disk itself, such as /dev/sdb",
            ),
        )
    if facts.kind is DeviceKind.OTHER:
        return (
            Refusal(
                f"{facts.path} is neither a disk, a partition nor an image file",
                "name a disk, such as /dev/sdb",
            ),
        )
    return (
        *refusals_to_read(facts),
        *_stands_on(facts),
        *_read_only(facts),
        *_wrong_size(facts),
    )


def refusals_to_read(facts: DeviceFacts) -> tuple[Refusal, ...]:
    """Judge whether a device may be attached for reading.

    A file system that is mounted elsewhere changes under the reader: verifying it
    through the device would compare a moving target. The mounted directory itself
    can be verified.
    """
    if facts.kind is DeviceKind.DIRECTORY:
        return ()
    if facts.kind is DeviceKind.OTHER:
        return (
            Refusal(
                f"{facts.path} is neither a disk, a partition, an image file nor "
                "a directory",
                "name the disk, an image of it, or where it is mounted",
            ),
        )
    return (*_mounted(facts), *_held(facts))


def _mounted(facts: DeviceFacts) -> Iterator[Refusal]:
    for part in facts.tree():
        for place in part.mount_points:
            if place == SWAP:
                yield Refusal(f"{part.path} is swap space in use", "swapoff first")
            elif place in SYSTEM_MOUNT_POINTS:
                yield Refusal(
                    f"the running system stands on {part.path} (mounted at {place})",
                    "choose another disk",
                )
            else:
                yield Refusal(
                    f"{part.path} is mounted at {place}", f"umount {place} first"
                )


def _held(facts: DeviceFacts) -> Iterator[Refusal]:
    for part in facts.tree():
        if part.held and not part.mount_points:
            yield Refusal(
                f"{part.path} is held by another process or by the kernel "
                "(a RAID, a volume group, a mapping, a partitioning tool)",
                "find out with: lsblk, fuser -v, dmsetup ls",
            )


def _stands_on(facts: DeviceFacts) -> Iterator[Refusal]:
    for part in facts.tree():
        if part is not facts and part.kind is DeviceKind.OTHER:
            yield Refusal(
                f"{part.path} stands on {facts.path}",
                "release it first (losetup -d, cryptsetup close, vgchange -an)",
            )


def _read_only(facts: DeviceFacts) -> Iterator[Refusal]:
    if facts.read_only:
        yield Refusal(f"{facts.path} is read-only", "check the disk's write switch")


def _wrong_size(facts: DeviceFacts) -> Iterator[Refusal]:
    if facts.size_bytes < SMALLEST_DISK_BYTES:
        yield Refusal(
            f"{facts.path} holds {facts.size_bytes:,} bytes, too few for a backup "
            f"(at least {SMALLEST_DISK_BYTES:,})",
            "choose a larger disk",
        )
    if facts.size_bytes > LARGEST_DISK_BYTES:
        yield Refusal(
            f"{facts.path} holds {facts.size_bytes:,} bytes; AWS takes disks up to "
            f"{LARGEST_DISK_BYTES:,} bytes",
            "choose a smaller disk",
        )
