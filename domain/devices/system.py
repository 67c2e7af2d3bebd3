"""The block devices of a system as a graph, and the view of it from one device.

An adapter reads the graph; nothing else is looked at to know what stands on what. A
device stands on its parents: a partition on its disk, a mapping, a RAID, a bcache or a
multipath device on its members, a loop device on the device that it is attached to, or
on the one that holds the file system of its file.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from s3export.domain.devices.facts import DeviceFacts, DeviceKind
from s3export.domain.devices.safety import ELSEWHERE, SWAP

_DISKS = frozenset({"disk", "loop"})
_PLUGGED = frozenset({"usb", "mmc", "ieee1394"})
_EMMC = re.compile(r"(?P<card>.*/mmcblk\d+)(?:boot\d+|gp\d+|rpmb)?$")


@dataclass(frozen=True)
class BlockDevice:
    """One block device, as the kernel and its tools show it.

    Attributes:
        path: Of its node, such as ``/dev/sdb1`` or ``/dev/mapper/data``.
        number: ``8:17``, as in mountinfo (proc(5)).
        type: As ``lsblk`` has it: ``disk``, ``part``, ``crypt``, ``lvm``, ``raid1``, …
        parents: The paths of what it stands on.
        files: Of a loop device over a file: what that file is known by; two with one
            of them in common are over the same file. Its parents only hold the file.
        offset: Where in that file it begins, in bytes.
        content: The file system, container or member that ``lsblk`` tells.
        table: The partition table that it tells; of a partition, the one it is in.

    """

    path: str
    number: str
    type: str
    size_bytes: int = 0
    parents: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    offset: int = 0
    read_only: bool = False
    removable: bool = False
    transport: str = ""
    model: str = ""
    serial: str = ""
    content: str = ""
    table: str = ""
    label: str = ""
    by_id: str = ""
    sequence: int = 0


@dataclass(frozen=True)
class Mount:
    """One mount of one mount namespace.

    Attributes:
        number: Of the device; file systems on several devices (btrfs) have one that
            is no device's, and are found by their source.
        source: What was mounted, such as ``/dev/sdb1``.
        namespace: Who sees it: empty for us, else for people: "process 812 (x)".

    """

    number: str
    source: str
    place: str
    namespace: str = ""

    @property
    def told(self) -> str:
        """The place, and whose it is if it is not ours."""
        if not self.namespace:
            return self.place
        return f"{self.place}{ELSEWHERE}{self.namespace}"


@dataclass(frozen=True)
class SystemDevices:
    """All block devices of a system, and what uses them.

    Attributes:
        swaps, held: Paths of devices that are swap space in use, and of those that
            somebody holds exclusively.
        signatures: What is recognised on a device, by its path, beyond what it tells.

    """

    devices: tuple[BlockDevice, ...]
    mounts: tuple[Mount, ...] = ()
    swaps: frozenset[str] = frozenset()
    signatures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    swap_files: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def by_path(self) -> Mapping[str, BlockDevice]:
        """The devices by the paths of their nodes."""
        return {device.path: device for device in self.devices}

    def above(self, path: str) -> Sequence[BlockDevice]:
        """Return the devices that stand on one directly."""
        return self._above.get(path, ())

    @cached_property
    def _above(self) -> Mapping[str, Sequence[BlockDevice]]:
        found: dict[str, list[BlockDevice]] = {}
        for device in self.devices:
            for parent in dict.fromkeys(device.parents):
                found.setdefault(parent, []).append(device)
        return found

    @cached_property
    def _over(self) -> Mapping[str, Sequence[BlockDevice]]:
        """The loop devices over a file, by all that it is known by."""
        found: dict[str, list[BlockDevice]] = {}
        for device in self.devices:
            for file in device.files:
                found.setdefault(file, []).append(device)
        return found

    @cached_property
    def _twin_facts(self) -> dict[str, DeviceFacts]:
        return {}  # each is told once, however many others have it for a twin

    def tree(self, path: str) -> Sequence[str]:
        """Return a device's path and those of all that stands on it, each once."""
        found = [path]
        for below in found:
            found += [d.path for d in self.above(below) if d.path not in found]
        return found

    def disks(self) -> Sequence[BlockDevice]:
        """Return the disks that have a medium, loop devices among them."""
        return [d for d in self.devices if _is_disk(d) and d.size_bytes]

    def facts(self, path: str) -> DeviceFacts | None:
        """Return what is to be known of one device; ``None`` if there is none."""
        device = self.by_path.get(path)
        if device is None:
            return None
        kind = DeviceKind.DISK if _is_disk(device) else DeviceKind.PARTITION
        if device.type == "rom":
            kind = DeviceKind.OTHER
        facts = self._facts(device, kind, frozenset())
        return replace(facts, twins=self._twins(path))

    def twins(self, path: str) -> Sequence[str]:
        """Return the devices through which bytes of a device are seen, too.

        Loop devices over the same file, whatever part of it each shows; what a loop
        device shows of another device; and loop devices over a device that this one is
        a part of. What stands on the device itself is no twin.
        """
        if path not in self.by_path:
            return ()  # it has gone since its name was told
        chain = self._chain(path)
        found: dict[str, None] = {}
        for each in chain:
            device = self.by_path[each]
            for file in device.files:
                others = (d for d in self._over[file] if _overlap(device, d))
                found |= dict.fromkeys(other.path for other in others)
            if each != path:
                above = self.above(each)
                found |= dict.fromkeys(d.path for d in above if _shows_a_device(d))
        for each in chain:
            found.pop(each, None)
        shown = [
            parent
            for each in chain
            if _shows_a_device(self.by_path[each])
            for parent in self.by_path[each].parents
            if parent in self.by_path and parent != path
        ]
        carried = {above for parent in shown for above in self.tree(parent)}
        return [*dict.fromkeys(shown), *(p for p in found if p not in carried)]

    def _chain(self, path: str) -> Sequence[str]:
        """Return a device and those whose bytes are its own, top down."""
        found = [path]
        for each in found:
            if not self.by_path[each].files:
                below = self.by_path[each].parents
                found += [p for p in below if p in self.by_path and p not in found]
        return found

    def _twins(self, path: str) -> tuple[DeviceFacts, ...]:
        chain = self._chain(path)
        swaps = dict.fromkeys(
            self.swap_files[file]
            for each in chain
            for file in self.by_path[each].files
            if file in self.swap_files
        )
        return (
            *(self._twin(each, frozenset(chain)) for each in self.twins(path)),
            *(
                DeviceFacts(swap, DeviceKind.IMAGE, mount_points=(SWAP,))
                for swap in swaps
            ),
        )

    def _twin(self, path: str, chain: frozenset[str]) -> DeviceFacts:
        """Return the facts of a twin; of one below, without what leads up to here."""
        device = self.by_path[path]
        if path in chain:
            return self._facts(device, DeviceKind.OTHER, chain - {path})
        if path not in self._twin_facts:
            facts = self._facts(device, DeviceKind.OTHER, frozenset())
            self._twin_facts[path] = facts
        return self._twin_facts[path]

    def _facts(
        self, device: BlockDevice, kind: DeviceKind, seen: frozenset[str]
    ) -> DeviceFacts:
        hardware = self._hardware(device)
        plugged = (
            hardware.removable or device.removable or hardware.transport in _PLUGGED
        )
        recognised = [*self.signatures.get(device.path, ()), device.content]
        if device.type != "part":
            recognised.append(device.table)
        return DeviceFacts(
            path=device.path,
            kind=kind,
            size_bytes=device.size_bytes,
            serial=hardware.serial,
            model=hardware.model,
            transport=hardware.transport,
            removable=plugged and not self._is_soldered(hardware),
            virtual=hardware.type == "loop",
            read_only=device.read_only,
            signatures=tuple(dict.fromkeys(filter(None, recognised))),
            label=device.label,
            mount_points=self._mount_points(device),
            held=device.path in self.held,
            parts=tuple(
                self._facts(part, _part_kind(part), seen | {device.path})
                for part in self.above(device.path)
                if part.path not in seen and part.path != device.path
            ),
            by_id=device.by_id,
            number=device.number,
            sequence=device.sequence or hardware.sequence,
        )

    def _hardware(self, device: BlockDevice) -> BlockDevice:
        """Return the disk below a device, if there is just one."""
        seen = {device.path}
        while len(device.parents) == 1 and device.type != "loop":
            parent = self.by_path.get(device.parents[0])
            if parent is None or parent.path in seen:
                break
            seen.add(parent.path)
            device = parent
        return device

    def _is_soldered(self, hardware: BlockDevice) -> bool:
        """Tell an eMMC from a card: it alone has boot areas beside its own."""
        found = _EMMC.match(hardware.path)
        return found is not None and f"{found['card']}boot0" in self.by_path

    def _mount_points(self, device: BlockDevice) -> tuple[str, ...]:
        places = [
            mount.told
            for mount in self.mounts
            if mount.number == device.number or mount.source == device.path
        ]
        if device.path in self.swaps:
            places.append(SWAP)
        return tuple(dict.fromkeys(places))


def _is_disk(device: BlockDevice) -> bool:
    """Tell a disk from a bcache device, which lsblk calls one, too."""
    return device.type in _DISKS and (device.type == "loop" or not device.parents)


def _shows_a_device(device: BlockDevice) -> bool:
    """Tell a loop device over another device from one over a file."""
    return device.type == "loop" and bool(device.parents) and not device.files


def _part_kind(device: BlockDevice) -> DeviceKind:
    return DeviceKind.PARTITION if device.type == "part" else DeviceKind.OTHER


def _overlap(one: BlockDevice, other: BlockDevice) -> bool:
    """Say whether two loop devices over one file show some of the same bytes."""
    if not (one.size_bytes and other.size_bytes):
        return True  # nobody knows
    first, second = sorted((one, other), key=lambda device: device.offset)
    return first.offset + first.size_bytes > second.offset
