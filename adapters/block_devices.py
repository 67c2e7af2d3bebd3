"""Disks, partitions and images of this system, through its own tools."""

import contextlib
import fcntl
import os
import shlex
import stat
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from s3export.adapters import command_lines, disk_backups, live_runs, mappings, mounts
from s3export.adapters.byte_sources import ByteSource, FileSource, Slice
from s3export.adapters.commands import Commands
from s3export.adapters.containers import fuse_mounts, fuse_volume
from s3export.adapters.device_facts import (
    LoopDevice,
    Partition,
    parse_partition_table,
    parse_probe,
)
from s3export.adapters.file_trees.device_walk import DeviceWalkedTree
from s3export.adapters.file_trees.mounted import MountedTree, MountedWritableTree
from s3export.adapters.file_trees.userspace import (
    WHERE_CUT_OFF,
    UserspaceTree,
    cut_off,
)
from s3export.adapters.gpt import primary_partitions
from s3export.adapters.loop_devices import LoopDevices, Shield
from s3export.adapters.privileges import may_administer
from s3export.adapters.rotation import reads_at_once
from s3export.adapters.sessions import (
    RUN_DIRECTORY,
    Held,
    Session,
    dead_sessions,
    live_sessions,
)
from s3export.adapters.system_devices import SystemGraph, loops_over
from s3export.domain.devices import (
    SWAP,
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
    DeviceRefused,
    DeviceUnreadable,
    NoFileSystem,
    PrivilegeMissing,
)
from s3export.domain.ports import BlockDevices, FileTree, Leftover, WritableTree

MOUNTABLE_FILE_SYSTEMS = ("ext2", "ext3", "ext4")
READABLE_FILE_SYSTEMS = (*MOUNTABLE_FILE_SYSTEMS, "ntfs")

BACKUP_DIRECTORY = "/var/lib/s3export/erased-disks"

_LONGEST_LABEL = 16  # bytes of ext4's s_volume_name
_NODE_WAIT_SECONDS = 5.0
_GET_GENERATION = 0x80087601  # FS_IOC_GETVERSION of linux/fs.h, on 64 bits
_FAULTY = "the disk is probably faulty: use another one"


@dataclass(frozen=True)
class Place:
    """Where something lies: a device or file, and a range of it in bytes.

    Attributes:
        kind: Of the file system; empty where there is none.
        size: 0 for all there is.
    """

    device: str
    kind: str
    offset: int = 0
    size: int = 0


class SystemBlockDevices(BlockDevices):
    """Block devices through lsblk, sfdisk, mkfs.ext4, losetup and mount.

    Args:
        shield: Entered around each step that acquires or releases something, so that
            an interruption never comes between doing it and writing it down.
        run_directory: Where mount points and the notes of what is attached are kept.
        backup_directory: Where `back_up` writes its files.
    """

    def __init__(
        self,
        commands: Commands,
        *,
        shield: Shield = contextlib.nullcontext,
        run_directory: str = RUN_DIRECTORY,
        backup_directory: str = BACKUP_DIRECTORY,
    ) -> None:
        self._commands = commands
        self._backup_directory = backup_directory
        self._shield = shield
        self._run_directory = run_directory
        self._session = Session.of_this_process(run_directory)
        self._loop_devices = LoopDevices(commands, self._session, shield)
        self._graph = SystemGraph(commands)

    # --- looking ------------------------------------------------------------------

    def inspect(self, path: str) -> DeviceFacts:
        """Return what is to be seen of a device; changes nothing."""
        if not path:
            raise DeviceAbsent("no device is named: its name is empty")
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116 - bytes-safe, and no Path needed
        except FileNotFoundError:
            raise DeviceAbsent(
                f"{path}: there is no such device or file", next_step=_way_on(path)
            ) from None
        except PermissionError as error:
            told = f"{path} may not be looked at by this user"
            raise PrivilegeMissing(told) from error
        except OSError as error:
            raise DeviceAbsent(f"{path}: {error.strerror}") from error
        if stat.S_ISDIR(mode):
            real = os.path.realpath(path)
            return DeviceFacts(path, DeviceKind.DIRECTORY, location=real)
        if stat.S_ISREG(mode):
            return self._with_runs(self._inspect_image(path))
        if stat.S_ISBLK(mode):
            return self._with_runs(self._inspect_block_device(path))
        return DeviceFacts(path, DeviceKind.OTHER)

    def _with_runs(self, facts: DeviceFacts) -> DeviceFacts:
        return live_runs.with_runs(facts, self._graph.loops(), self._run_directory)

    def _inspect_image(self, path: str) -> DeviceFacts:
        real = os.path.realpath(path)
        attached = {
            loop.path: "" if loop.is_named(real) else loop.backing_file
            for loop in loops_over(real, self._graph.loops())
        }
        _need_reading(path)
        swap = self._graph.swap_file(real)
        return DeviceFacts(
            path=path,
            kind=DeviceKind.IMAGE,
            size_bytes=Path(real).stat().st_size,
            removable=True,
            virtual=True,
            read_only=not os.access(real, os.W_OK),
            signatures=self._graph.signatures(real),
            mount_points=(SWAP,) if swap == real else (),
            parts=self._attached_to(attached) if attached else (),
            twins=(
                (DeviceFacts(swap, DeviceKind.IMAGE, mount_points=(SWAP,)),)
                if swap and swap != real
                else ()
            ),
            number=_number_of_file(real),
            location=real,
        )

    def _attached_to(self, other_names: Mapping[str, str]) -> tuple[DeviceFacts, ...]:
        """Look at all loop devices on a file; some have it by another name."""
        system = self._graph.looked_at(self._graph.read(), other_names)
        return tuple(
            replace(
                part,
                kind=DeviceKind.OTHER,
                location=name,
                twins=(),  # the others are on the file, too
            )
            for loop, name in other_names.items()
            if (part := system.facts(loop))
        )

    def _inspect_block_device(self, path: str) -> DeviceFacts:
        system, found = self._graph.read_from(path)
        facts = system.facts(found) if found else None
        if facts is None or not facts.size_bytes:
            raise DeviceAbsent(f"{path} has no medium: nothing is attached to it")
        _need_reading(path)
        return facts

    def disks(self) -> Sequence[DeviceFacts]:
        """Return every disk of this system; without root less is known of each."""
        system = self._graph.read()
        disks = [disk.path for disk in system.disks()]
        system = self._graph.looked_at(system, disks)
        found = (system.facts(disk) for disk in disks)
        loops = self._graph.loops()
        return [
            live_runs.with_runs(facts, loops, self._run_directory)
            for facts in found
            if facts
        ]

    # --- preparing ----------------------------------------------------------------

    @contextmanager
    def hold(self, facts: DeviceFacts) -> Iterator[DeviceFacts]:
        """Keep the device open, so that no other disk gets its name, and look anew.

        The kernel frees a disk's name when the last descriptor of it is closed. The
        descriptor is not exclusive: mkfs and sfdisk demand the disk for themselves.
        """
        path = facts.lasting_path
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise DeviceChanged(
                f"{facts.path} cannot be opened any more: {error.strerror}"
            ) from error
        try:
            now = self.inspect(path)
            if facts.kind is DeviceKind.IMAGE:
                now = replace(now, path=facts.path)
            if now.identity() != facts.identity():
                raise DeviceChanged(
                    f"{facts.path} is not the device that was confirmed: it was "
                    f"{describe(facts)}, now it is {describe(now)}"
                )
            yield now
        finally:
            os.close(descriptor)

    def back_up(self, facts: DeviceFacts) -> str:
        """Save the partition table and the ends of everything."""
        run = self._commands.run
        try:
            partitions = self._partitions(facts.path)
        except DeviceFailed:
            partitions = ()  # a table that no tool can read is saved as bytes
        return disk_backups.save(
            facts,
            self._backup_directory,
            table=run(command_lines.dump_partition_table(facts.path)).stdout,
            signatures=run(command_lines.list_signatures(facts.path)).stdout,
            partitions=partitions,
        )

    def prepare(
        self,
        facts: DeviceFacts,
        preparation: Preparation,
        reached: Reached = lambda state: None,
    ) -> None:
        """Erase a device and, as a rule, make an ext4 file system on it."""
        _need_root("formatting a disk")
        run = self._commands.run
        table = facts.kind is not DeviceKind.PARTITION and not preparation.whole_disk
        reached(DiskState.BEING_ERASED)
        if table:
            with _step(f"writing a partition table to {facts.path}"):
                run(command_lines.make_partition_table(facts.path))
            partition = self._new_partition(facts)
            self._await_node(facts, partition)
            place = self._place(facts, partition, "")
            reached(DiskState.PARTITIONED)
        else:
            with _step(f"wiping the old signatures of {facts.path}"):
                run(command_lines.wipe_signatures(facts.path))
            place = Place(facts.path, "")
        if not preparation.file_system:
            if facts.kind is not DeviceKind.IMAGE:
                self._flush(facts, facts.path)
            return
        with self._device_of(place, read_only=False) as device:
            label = _ext4_label(preparation.label)
            reached(DiskState.BEING_FORMATTED)
            with _step(f"making an ext4 file system on {facts.path}"):
                run(command_lines.make_ext4(device, label, full=preparation.full))
            self._flush(facts, device)
            with _step(f"reading the new file system of {facts.path}"):
                self._see_it(facts, device)
            reached(DiskState.FORMATTED)

    def _new_partition(self, facts: DeviceFacts) -> Partition:
        with _step(f"reading the new partition table of {facts.path}"):
            partitions = self._partitions(facts.path)
            if len(partitions) != 1:
                raise DeviceFailed(
                    f"{len(partitions)} partitions are seen where one was made",
                    next_step=_FAULTY,
                )
        return partitions[0]

    def _see_it(self, facts: DeviceFacts, device: str) -> None:
        if self._probe(device).get("TYPE") != "ext4":
            raise DeviceFailed("it does not read back as written", next_step=_FAULTY)

    def _await_node(self, facts: DeviceFacts, partition: Partition) -> None:
        """Wait for udev to make the partition's node, where the kernel knows it."""
        name = partition_name(Path(facts.path).name, partition.number)
        node = Path(partition_name(facts.path, partition.number))
        deadline = time.monotonic() + _NODE_WAIT_SECONDS
        while (
            Path("/sys/class/block", name).exists()
            and not node.exists()
            and time.monotonic() < deadline
        ):
            time.sleep(0.05)

    # --- opening ------------------------------------------------------------------

    @contextmanager
    def open_read_only(
        self, facts: DeviceFacts, *, mounting: bool = True
    ) -> Iterator[FileTree]:
        """Mount the device read-only, its journal not replayed; or read it ourselves.

        Ourselves where it is not to be mounted, where only root may mount, and where
        the file system is none that every kernel knows.
        """
        if facts.kind is DeviceKind.DIRECTORY:
            yield MountedTree(facts.path)
            return
        _need_reading(facts.path)
        place = self._file_system(facts, READABLE_FILE_SYSTEMS)
        mountable = place.kind in MOUNTABLE_FILE_SYSTEMS and may_administer()
        with ExitStack() as stack:
            if mounting and mountable:
                device = stack.enter_context(self._attached(place, read_only=True))
                mount_point = stack.enter_context(
                    self._mounted(facts, device, place, read_only=True)
                )
                yield DeviceWalkedTree(
                    mount_point, stack.enter_context(FileSource(device))
                )
            else:
                source: ByteSource = stack.enter_context(FileSource(place.device))
                if place.offset:
                    source = Slice(source, place.offset, place.size)
                at_once = reads_at_once(place.device)
                yield stack.enter_context(UserspaceTree(source, at_once))

    def room_beside(self, facts: DeviceFacts) -> int | None:
        """Ask the file system that an image lies in."""
        if facts.kind is not DeviceKind.IMAGE:
            return None
        try:
            found = os.statvfs(facts.path)
        except OSError:
            return None
        return found.f_bavail * found.f_frsize

    def check_writable(self, facts: DeviceFacts) -> None:
        """Look for the one file system that can be mounted for writing."""
        self._file_system(facts, MOUNTABLE_FILE_SYSTEMS)

    @contextmanager
    def open_for_writing(self, facts: DeviceFacts) -> Iterator[WritableTree]:
        """Mount the device read-write."""
        _need_root("mounting a device")
        place = self._file_system(facts, MOUNTABLE_FILE_SYSTEMS)
        with ExitStack() as stack:
            device = stack.enter_context(self._device_of(place, read_only=False))
            stack.callback(self._flush, facts, device)
            mount_point = stack.enter_context(
                self._mounted(facts, device, place, read_only=False)
            )
            tree = MountedWritableTree(mount_point)
            stack.callback(tree.close)
            stack.enter_context(_step(facts.path))
            stack.callback(tree.sync)
            yield tree

    def _flush(self, facts: DeviceFacts, device: str) -> None:
        """Write what the kernel buffers, and forget it: what is read is on the disk.

        Of the disk as well: a loop device over a part of it reads through its buffers.
        """
        with _step(f"flushing {facts.path}"):
            self._commands.run(command_lines.flush(device))
            if device != facts.path and facts.kind is not DeviceKind.IMAGE:
                self._commands.run(command_lines.flush(facts.path))

    def _file_system(self, facts: DeviceFacts, kinds: Sequence[str]) -> Place:
        """Find the one file system, of some kinds, that a device holds."""
        whole = self._probe(facts.path)
        if whole.get("TYPE") and whole.get("USAGE") == "filesystem":
            found = [Place(facts.path, whole["TYPE"])]
            return self._one_of(facts, found, kinds)
        found = []
        for partition in self._partitions(facts.path):
            probed = self._probe(facts.path, partition.offset, partition.size)
            if probed.get("USAGE") == "filesystem":
                found.append(self._place(facts, partition, probed["TYPE"]))
        return self._one_of(facts, found, kinds)

    def _one_of(
        self, facts: DeviceFacts, found: list[Place], kinds: Sequence[str]
    ) -> Place:
        known = [place for place in found if place.kind in kinds]
        if len(known) == 1:
            return known[0]
        if known:
            raise DeviceUnreadable(
                f"{facts.path} holds {len(known)} file systems",
                next_step=f"name one partition, such as {known[0].device}",
            )
        if found:
            names = ", ".join(sorted({place.kind for place in found}))
            if any(place.kind in READABLE_FILE_SYSTEMS for place in found):
                raise DeviceUnreadable(
                    f"{facts.path} holds {names}, which s3export does not write to",
                    next_step="mount it and copy SIGNATURE to it (get-status JOB "
                    "--signature FILE), or let the disk be erased",
                )
            raise DeviceUnreadable(
                f"{facts.path} holds {names}, which s3export does not read",
                next_step="mount it read-only and name the directory",
            )
        signatures = ", ".join(facts.signatures)
        seen = f"only {signatures} was recognised" if signatures else "none at all"
        raise NoFileSystem(
            f"{facts.path} holds no file system that is recognised ({seen})",
            next_step="if it is encrypted, give its password",
        )

    def unrecognised(self, facts: DeviceFacts) -> Place:
        """Return where an encrypted container may be: the device, or its partition."""
        partitions = self._partitions(facts.path)
        if len(partitions) > 1:
            raise DeviceUnreadable(
                f"{facts.path} has {len(partitions)} partitions, none recognised",
                next_step="name one of them",
            )
        if partitions:
            return self._place(facts, partitions[0], "")
        return Place(facts.path, "")

    def _partitions(self, path: str) -> tuple[Partition, ...]:
        table = self._commands.run(command_lines.read_partition_table(path))
        return parse_partition_table(table.stdout) or primary_partitions(path)

    def _probe(self, path: str, offset: int = 0, size: int = 0) -> dict[str, str]:
        line = command_lines.probe_file_system(path, offset, size)
        return dict(parse_probe(self._commands.run(line).stdout))

    def _place(self, facts: DeviceFacts, partition: Partition, kind: str) -> Place:
        """Prefer the partition's node, which claims the disk while it is in use."""
        node = partition_name(facts.path, partition.number)
        if facts.kind is DeviceKind.DISK and _is_block_device(node):
            return Place(node, kind)
        return Place(facts.path, kind, partition.offset, partition.size)

    def make_file_system(self, device: str, label: str) -> None:
        """Make an empty ext4 file system on a device, without reserved blocks."""
        with _step(f"making an ext4 file system on {device}"):
            self._commands.run(command_lines.make_ext4(device, _ext4_label(label)))
        with _step(f"flushing {device}"):
            self._commands.run(command_lines.flush(device))

    def check_unattached(self, path: str) -> None:
        """Return if no loop device stands on a file, which is no swap space either.

        Raises:
            DeviceRefused: It is used so: writing to it twice at once would destroy it.
        """
        loops = self._graph.loops()
        for loop in loops_over(path, loops):
            run = live_runs.run_with_loop(loop.path, loops, self._run_directory)
            by = f"; {run} attached it" if run else ""
            raise DeviceRefused(
                f"{path} is in use: {loop.path} stands on it{by}",
                next_step=run.way_out if run else live_runs.WHATEVER_USES_IT,
            )
        if swap := self._graph.swap_file(path):
            raise DeviceRefused(
                f"{path} is swap space in use", next_step=f"swapoff {swap} first"
            )

    @contextmanager
    def device_at(self, place: Place) -> Iterator[str]:
        """Give a writable block device for a place; flushed on leaving."""
        with ExitStack() as stack:
            device = stack.enter_context(self._device_of(place, read_only=False))
            stack.callback(self._commands.run, command_lines.flush(device))
            yield device

    @contextmanager
    def attach_image(self, path: str) -> Iterator[str]:
        """Make a disk of an image file, writable; give the device's path."""
        _need_root("attaching an image")
        with self._attached(Place(path, ""), read_only=False) as device:
            yield device

    # --- acquiring and releasing --------------------------------------------------

    @contextmanager
    def _device_of(self, place: Place, *, read_only: bool) -> Iterator[str]:
        """Give a block device for a place: itself, or a loop device over it."""
        if not place.offset and _is_block_device(place.device):
            yield place.device
            return
        with self._attached(place, read_only=read_only) as device:
            yield device

    @contextmanager
    def _attached(self, place: Place, *, read_only: bool) -> Iterator[str]:
        with self._loop_devices.attached(
            place.device, read_only=read_only, offset=place.offset, size=place.size
        ) as device:
            yield device

    @contextmanager
    def _mounted(
        self, facts: DeviceFacts, device: str, place: Place, *, read_only: bool
    ) -> Iterator[str]:
        make = (
            command_lines.mount_read_only
            if read_only
            else command_lines.mount_read_write
        )
        with ExitStack() as stack:
            with self._shield():
                mount_point = self._session.mount_point()
                stack.callback(self._session.close)
                stack.callback(_remove_unless_mounted, mount_point)
                try:
                    self._commands.run(make(device, str(mount_point), place.kind))
                except DeviceFailed as error:
                    if mounts.is_mounted(
                        str(mount_point)
                    ):  # it failed when that was done
                        self._unmount(str(mount_point))
                    raise _not_mounted(facts, device, place, error) from error
                stack.callback(self._unmount, str(mount_point))
            yield str(mount_point)

    def _unmount(self, mount_point: str) -> None:
        with self._shield():
            mounts.unmount(self._commands, mount_point)

    # --- what killed runs left ----------------------------------------------------

    def leftovers(self) -> Sequence[Leftover]:
        """Return what runs that were killed left mounted or attached, inside first."""
        dead = tuple(dead_sessions(self._run_directory))
        if not dead:
            return ()
        present = self._graph.loops()
        in_use = {
            held.name
            for session in live_sessions(self._run_directory)
            for held in session.held(present)
        }
        loops = {loop.path: loop for loop in present if loop.path not in in_use}
        found: dict[Leftover, None] = {}
        for session in dead:
            for held in session.held(tuple(loops.values())):
                found |= dict.fromkeys(_leftovers(held, loops))
        if not found:
            for session in dead:
                if not session.awaits_an_attachment():
                    _forget(session)
        return tuple(found)

    def clean(self, leftover: Leftover) -> None:
        """Release one left-over."""
        if leftover not in self.leftovers():
            return
        program, *_, place = leftover.command.split()
        if program == "umount":
            try:
                self._unmount(place)
            except DeviceFailed:
                inside = self._inside(leftover)
                if not inside:
                    raise
                for one in inside:
                    self.clean(one)
                self._unmount(place)
            fuse_mounts.await_end_of_server(place)
        elif program == "cryptsetup":
            mappings.close(self._commands, place)
        else:
            self._commands.run(command_lines.detach_loop(place))
        self.leftovers()  # the last one takes the notes of the dead run with it

    def _inside(self, leftover: Leftover) -> Sequence[Leftover]:
        """Return what came to be since it was listed, and is to be released first.

        A tool can outlive, for some seconds, the run that was killed while it worked.
        """
        now = self.leftovers()
        return now[: now.index(leftover)] if leftover in now else ()


def _leftovers(held: Held, loops: Mapping[str, LoopDevice]) -> Iterator[Leftover]:
    """Yield what the system still has of something written down."""
    name = held.name
    if held.kind == "mount":
        if source := mounts.source_of(name):
            what = "decrypted volume" if source == fuse_volume.SOURCE else "mount"
            yield Leftover(f"{what} at {name}", f"umount {name}")
    elif held.kind == "mapping":
        for part in mappings.present([name]):
            what = f"decrypted view at {mappings.node(part)}"
            yield Leftover(what, f"cryptsetup close {part}")
    elif name in loops and held.is_of(loops[name]):
        what = f"loop device {name} on {loops[name].backing_file}"
        yield Leftover(what, f"losetup -d {name}")


def _forget(session: Session) -> None:
    with contextlib.suppress(OSError):
        for path in session.mount_points():
            path.rmdir()
        for path in session.directory.iterdir():
            path.unlink()
        session.directory.rmdir()


def _ext4_label(label: str) -> str:
    return label.encode()[:_LONGEST_LABEL].decode(errors="ignore")


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Name the step in the error of whatever fails in it."""
    try:
        yield
    except DeviceFailed as error:
        raise DeviceFailed(
            f"{name}: {error.message}", next_step=error.next_step
        ) from error


def _not_mounted(
    facts: DeviceFacts, device: str, place: Place, error: DeviceFailed
) -> DeviceUnreadable:
    """Return what is told: that its end is missing, or else what mount said."""
    missing = ""
    with contextlib.suppress(DeviceUnreadable), FileSource(device) as source:
        missing = cut_off(source)
    part = f"?offset={place.offset}" if place.offset else ""
    look = f"look at it with: e2fsck -n {shlex.quote(f'{place.device}{part}')}"
    return DeviceUnreadable(
        f"the {place.kind} file system on {facts.path} cannot be mounted: "
        f"{missing or error.message}",
        next_step=WHERE_CUT_OFF if missing else look,
    )


def _remove_unless_mounted(mount_point: Path) -> None:
    """Keep it where unmounting failed: that error names it."""
    if not mounts.is_mounted(str(mount_point)):
        mount_point.rmdir()


def _number_of_file(path: str) -> str:
    """Tell a file from another one of its name, also where the inode is used again."""
    with Path(path).open("rb") as file:
        found = os.fstat(file.fileno())
        generation = bytearray(8)
        with contextlib.suppress(OSError):  # a file system that counts none
            fcntl.ioctl(file.fileno(), _GET_GENERATION, generation)
    count = int.from_bytes(generation[:4], sys.byteorder)
    return f"inode {found.st_ino} of device {found.st_dev}, generation {count}"


def _is_block_device(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        return False


def _need_reading(path: str) -> None:
    if not os.access(path, os.R_OK):
        raise PrivilegeMissing(f"{path} may not be read by this user")


def _need_root(what: str) -> None:
    if not may_administer():
        raise PrivilegeMissing(f"{what} needs root (CAP_SYS_ADMIN)")


def _way_on(path: str) -> str:
    """Return what helps to find a path that is not there; empty for a disk's."""
    absolute = Path.cwd() / path
    if absolute.is_relative_to("/dev"):
        return ""
    there = next(parent for parent in absolute.parents if parent.exists())
    lacking = absolute.relative_to(there).parts[0]
    return f"check the path: {there} is there, and has no {lacking}"
