"""What was seen of a device, an image or a directory, and of all that stands on it."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass


class DeviceKind(enum.Enum):
    """What the operator named."""

    DISK = "disk"
    PARTITION = "partition"
    IMAGE = "image file"
    DIRECTORY = "directory"
    OTHER = "other"


@dataclass(frozen=True)
class Run:
    """A run of s3export that goes on: another process than this one.

    Attributes:
        command: Its command line, without what may be a secret in it.
    """

    pid: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})"

    @property
    def way_out(self) -> str:
        """What to do about what it holds: never to pull that away from it."""
        return (
            f"wait until it ends, or stop it with: kill {self.pid} (it releases what "
            "it holds)"
        )


@dataclass(frozen=True)
class DeviceFacts:
    """What was seen of a device, an image or a directory, and of all that stands on it.

    Attributes:
        path: As the operator gave it, links resolved for block devices.
        size_bytes: Of the device or image; 0 for a directory.
        serial, model, transport: As the disk reports them, of a partition its disk's;
            empty where it does not.
        removable: The kernel calls it removable, or it hangs on USB or a card reader;
            an eMMC, which is soldered to the board, does not.
        virtual: A loop device or an image: no hardware of its own.
        read_only: Writing is refused by the kernel or by the file's permissions.
        signatures: File systems, partition tables and containers recognised on it
            (``ext4``, ``gpt``, ``crypto_LUKS``); none recognised is not "empty".
        label: Of its file system; empty for none.
        mount_points: Where it is mounted now, in any mount namespace that could be
            looked at; ``[SWAP]`` for swap space in use.
        held: Another process or the kernel holds it exclusively.
        parts: Partitions, mappings and loop devices that stand on it.
        by_id: Its name that does not change, ``/dev/disk/by-id/…``; empty for none.
        number: The kernel's, ``8:16``; empty where it has none.
        sequence: Of the disk's arrival (``diskseq``): another disk under the same name
            has another one; 0 where the kernel tells none (before Linux 5.15).
        twins: Devices and swap files, none of its parts, through which bytes of it are
            used under another name, such as another loop device over the same file.
        location: Of a directory or an image: its absolute path, links resolved; of a
            loop device on an image, the other name of it by which it was attached;
            else empty.
        run: Of s3export, going on, that has it mounted, attached or open; ``None``
            for none, and for this one.

    """

    path: str
    kind: DeviceKind
    size_bytes: int = 0
    serial: str = ""
    model: str = ""
    transport: str = ""
    removable: bool = False
    virtual: bool = False
    read_only: bool = False
    signatures: tuple[str, ...] = ()
    label: str = ""
    mount_points: tuple[str, ...] = ()
    held: bool = False
    parts: tuple["DeviceFacts", ...] = ()
    by_id: str = ""
    number: str = ""
    sequence: int = 0
    location: str = ""
    twins: tuple["DeviceFacts", ...] = ()
    run: Run | None = None

    @property
    def place(self) -> str:
        """The path that means the same wherever it is read."""
        return self.location or self.path

    def tree(self) -> Iterator["DeviceFacts"]:
        """Yield this device and everything that stands on it, top down."""
        yield self
        for part in self.parts:
            yield from part.tree()

    @property
    def name_to_confirm(self) -> str:
        """What an operator types to confirm: serial, or by-id name, or the path.

        The first of them that a keyboard has: disks tell serials of any bytes.
        """
        names = (self.serial, self.by_id.rpartition("/")[2])
        return next((name for name in names if _can_be_typed(name)), self.path)

    @property
    def lasting_path(self) -> str:
        """The path to look at it again by: one that no other disk gets, if any."""
        return self.by_id or self.path

    @property
    def is_fixed(self) -> bool:
        """Whether it is built into this machine."""
        hardware = self.kind in (DeviceKind.DISK, DeviceKind.PARTITION)
        return hardware and not self.removable and not self.virtual

    def identity(self) -> tuple[object, ...]:
        """Return what must not change between judging a device and writing to it."""
        return (
            self.path,
            self.kind,
            self.size_bytes,
            self.serial,
            self.model,
            self.number,
            self.sequence,
        )


def _can_be_typed(name: str) -> bool:
    return name.isascii() and name.isprintable() and name.strip() == name != ""


def describe(facts: DeviceFacts) -> str:
    """Name a device for a message: model, serial and size."""
    names = " ".join(part for part in (facts.model, facts.serial) if part)
    return f"{names or facts.kind.value} of {facts.size_bytes:,} bytes"
