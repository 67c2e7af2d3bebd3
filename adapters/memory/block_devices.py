"""Disks in memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from s3export.adapters.memory.file_tree import MemoryWritableTree
from s3export.domain.devices import DeviceFacts, DeviceKind, partition_name
from s3export.domain.errors import (
    DeviceAbsent,
    DeviceFailed,
    DeviceUnreadable,
)
from s3export.domain.ports import (
    BlockDevices,
    FileTree,
    Leftover,
    WritableTree,
)

_MOUNT_POINT = "/memory"


@dataclass
class MemoryDisk:
    """One disk, with what stands on it.

    Attributes:
        facts: As `inspect` returns them, but for what `prepare` and mounting change.
        tree: Its file system; ``None`` for none.
        fails_at: The step at which the next `prepare` fails, once: ``partition``,
            ``format``; or ``mount`` for the next `open_for_writing`.
    """

    facts: DeviceFacts
    tree: MemoryWritableTree | None = None
    fails_at: str = ""
    mounted: bool = False
    history: list[str] = field(default_factory=list)

    def fail(self, step: str) -> None:
        """Note a step, and fail at it if told so."""
        self.history.append(step)
        if self.fails_at == step:
            self.fails_at = ""
            raise DeviceFailed(f"{self.facts.path}: {step} failed")


class MemoryBlockDevices(BlockDevices):
    """Holds disks by path."""

    def __init__(self, *disks: MemoryDisk) -> None:
        self.disks = {disk.facts.path: disk for disk in disks}
        self._leftovers: list[Leftover] = []

    def inspect(self, path: str) -> DeviceFacts:
        """Return a disk's facts as they are now."""
        disk = self._disk(path)
        if not disk.mounted:
            return disk.facts
        mounted = (_MOUNT_POINT,)
        if disk.facts.parts:
            first, *others = disk.facts.parts
            first = replace(first, mount_points=mounted)
            return replace(disk.facts, parts=(first, *others))
        return replace(disk.facts, mount_points=mounted)

    def prepare(self, facts: DeviceFacts, label: str) -> None:
        """Forget what was on the disk."""
        disk = self._disk(facts.path)
        if facts.kind is DeviceKind.PARTITION:
            disk.fail("format")
            disk.facts = replace(disk.facts, signatures=("ext4",))
        else:
            disk.tree = None
            disk.fail("partition")
            part = DeviceFacts(
                path=partition_name(facts.path, 1),
                kind=DeviceKind.PARTITION,
                size_bytes=max(0, facts.size_bytes - (2 << 20)),
                signatures=("ext4",),
            )
            disk.facts = replace(disk.facts, signatures=("gpt",), parts=(part,))
            disk.fail("format")
        disk.tree = MemoryWritableTree(room_bytes=facts.size_bytes)

    @contextmanager
    def open_read_only(
        self, facts: DeviceFacts, *, mounting: bool = True
    ) -> Iterator[FileTree]:
        """Hand out the disk's tree."""
        disk = self._disk(facts.path)
        with self._mounted(disk) as tree:
            yield tree

    @contextmanager
    def open_for_writing(self, facts: DeviceFacts) -> Iterator[WritableTree]:
        """Hand out the disk's tree."""
        disk = self._disk(facts.path)
        disk.fail("mount")
        with self._mounted(disk) as tree:
            yield tree

    def leftovers(self) -> Sequence[Leftover]:
        """Return those that a test put there."""
        return tuple(self._leftovers)

    def clean(self, leftover: Leftover) -> None:
        """Forget one."""
        if leftover in self._leftovers:
            self._leftovers.remove(leftover)

    def leave(self, leftover: Leftover) -> None:
        """Pretend that a killed run left something behind."""
        self._leftovers.append(leftover)

    @contextmanager
    def _mounted(self, disk: MemoryDisk) -> Iterator[MemoryWritableTree]:
        if disk.tree is None:
            raise DeviceUnreadable(f"{disk.facts.path} holds no file system")
        disk.mounted = True
        try:
            yield disk.tree
        finally:
            disk.mounted = False

    def _disk(self, path: str) -> MemoryDisk:
        if path not in self.disks:
            raise DeviceAbsent(f"{path}: there is no such device")
        return self.disks[path]
