"""Disks in memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from s3export.adapters.memory.file_tree import MemoryWritableTree
from s3export.domain.devices import (
    DeviceFacts,
    DeviceKind,
    describe,
    partition_name,
)
from s3export.domain.devices.preparation import DiskState, Preparation, Reached
from s3export.domain.errors import (
    DeviceAbsent,
    DeviceChanged,
    DeviceFailed,
    DeviceUnreadable,
    NoFileSystem,
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
        fails_at: The step that fails, once: ``back up``; ``partition`` or ``format``
            of `prepare`; ``mount`` of `open_for_writing`.
    """

    facts: DeviceFacts
    tree: MemoryWritableTree | None = None
    fails_at: str = ""
    mounted: bool = False
    history: list[str] = field(default_factory=list)

    def fail(self, step: str) -> None:
        """Note a step that changes something, and fail at it if told so."""
        self.history.append(step)
        self.fail_unseen(step)

    def fail_unseen(self, step: str) -> None:
        """Fail at a step that changes nothing, if told so."""
        if self.fails_at == step:
            self.fails_at = ""
            raise DeviceFailed(f"{self.facts.path}: {step} failed")


class MemoryBlockDevices(BlockDevices):
    """Holds disks by path.

    Attributes:
        room: What is free beside each of them, as if it were an image.
    """

    def __init__(self, *disks: MemoryDisk) -> None:
        self.room: int | None = None
        self.disks_by_path = {disk.facts.path: disk for disk in disks}
        self._leftovers: list[Leftover] = []
        self._backups = 0

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

    def disks(self) -> Sequence[DeviceFacts]:
        """Return the facts of all disks."""
        return [self.inspect(path) for path in self.disks_by_path]

    @contextmanager
    def hold(self, facts: DeviceFacts) -> Iterator[DeviceFacts]:
        """Compare what is there now with what was."""
        now = self.inspect(facts.path)
        if now.identity() != facts.identity():
            raise DeviceChanged(
                f"{facts.path} is not the device that was confirmed: it was "
                f"{describe(facts)}, now it is {describe(now)}"
            )
        yield now

    def back_up(self, facts: DeviceFacts) -> str:
        """Save nothing, but say where."""
        self._disk(facts.path).fail_unseen("back up")
        self._backups += 1
        name = f"{facts.serial or 'disk'}-{self._backups}.tar.gz"
        return f"/memory/erased-disks/{name}"

    def prepare(
        self,
        facts: DeviceFacts,
        preparation: Preparation,
        reached: Reached = lambda state: None,
    ) -> None:
        """Forget what was on the disk."""
        disk = self._disk(facts.path)
        reached(DiskState.BEING_ERASED)
        disk.tree = None
        if facts.kind is DeviceKind.PARTITION or preparation.whole_disk:
            disk.facts = replace(disk.facts, signatures=(), parts=())
            if not preparation.file_system:
                return
            reached(DiskState.BEING_FORMATTED)
            disk.fail("format")
            disk.facts = replace(disk.facts, signatures=("ext4",))
        else:
            disk.fail("partition")
            part = DeviceFacts(
                path=partition_name(facts.path, 1),
                kind=DeviceKind.PARTITION,
                size_bytes=max(0, facts.size_bytes - (2 << 20)),
                removable=True,
                signatures=("ext4",) if preparation.file_system else (),
            )
            disk.facts = replace(disk.facts, signatures=("gpt",), parts=(part,))
            reached(DiskState.PARTITIONED)
            if not preparation.file_system:
                return
            reached(DiskState.BEING_FORMATTED)
            disk.fail("format")
        disk.tree = MemoryWritableTree(room_bytes=facts.size_bytes)
        reached(DiskState.FORMATTED)

    @contextmanager
    def open_read_only(
        self, facts: DeviceFacts, *, mounting: bool = True
    ) -> Iterator[FileTree]:
        """Hand out the disk's tree."""
        disk = self._disk(facts.path)
        with self._mounted(disk) as tree:
            yield tree

    def room_beside(self, facts: DeviceFacts) -> int | None:
        """Return what was said."""
        return self.room

    def check_writable(self, facts: DeviceFacts) -> None:
        """Look whether there is a tree."""
        if self._disk(facts.path).tree is None:
            raise DeviceUnreadable(f"{facts.path} holds no file system")

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
            raise NoFileSystem(f"{disk.facts.path} holds no file system")
        disk.mounted = True
        try:
            yield disk.tree
        finally:
            disk.mounted = False

    def _disk(self, path: str) -> MemoryDisk:
        if path not in self.disks_by_path:
            raise DeviceAbsent(f"{path}: there is no such device")
        return self.disks_by_path[path]
