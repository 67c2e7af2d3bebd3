"""Puts what was read of a system together: what stands on what, and what uses it.

Everything is given; nothing is looked up here, so that recorded facts of any machine
can be put together as its own would be.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from s3export.adapters.device_facts import LoopDevice
from s3export.domain.devices.system import BlockDevice, Mount, SystemDevices

Numbers = Callable[[str], str]
"""Tells a device's number for a path; empty for none."""


@dataclass(frozen=True)
class Readings:
    """What was read of a system.

    Attributes:
        devices: Loop devices among them without what they stand on.
        mounts: Of all mount namespaces that could be looked at, ours first.
        swaps: Paths of swap devices and files.
        swap_files: Paths of those that are files, by their `file_id`.
        busy: Numbers of the devices of mounted file systems that have several (btrfs):
            their mounts name one of them at most.
        names: Lasting names of devices, by number.
        sequences: Of the disks' arrivals, by the number of the device.
    """

    devices: Sequence[BlockDevice]
    loops: Sequence[LoopDevice] = ()
    mounts: Sequence[Mount] = ()
    swaps: Sequence[str] = ()
    swap_files: Mapping[str, str] = field(default_factory=dict)
    busy: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    sequences: Mapping[str, int] = field(default_factory=dict)


def assemble(read: Readings, number_at: Numbers, lies_on: Numbers) -> SystemDevices:
    """Return the graph of devices.

    Args:
        number_at: Tells the number of the block device at a path.
        lies_on: Tells the number of the file system that a file lies on.
    """
    by_number = {device.number: device.path for device in read.devices}
    backing = {loop.path: number_at(loop.backing_file) for loop in read.loops}
    mounts = tuple(_with_its_device(m, by_number, number_at) for m in read.mounts)
    sources = _sources(mounts, by_number)

    def below(loop: LoopDevice) -> tuple[str, ...]:
        number = backing[loop.path] or lies_on(loop.backing_file) or loop.file_system
        found = by_number.get(number) or sources.get(number)
        return (found,) if found and found != loop.path else ()

    parents = {loop.path: below(loop) for loop in read.loops}
    files = {
        loop.path: tuple(filter(None, (loop.file_id, _lasting_name(loop))))
        for loop in read.loops
        if not backing[loop.path]
    }
    offsets = {loop.path: loop.offset for loop in read.loops}
    swaps = (by_number.get(number_at(path)) for path in read.swaps)
    return SystemDevices(
        devices=tuple(
            replace(
                device,
                parents=parents.get(device.path) or device.parents,
                files=files.get(device.path, ()),
                offset=offsets.get(device.path, 0),
                by_id=read.names.get(device.number, ""),
                sequence=read.sequences.get(device.number, 0),
            )
            for device in read.devices
        ),
        mounts=mounts,
        swaps=frozenset(filter(None, swaps)),
        swap_files={**{path: path for path in read.swaps}, **read.swap_files},
        held=frozenset(by_number[n] for n in read.busy if n in by_number),
    )


def _lasting_name(loop: LoopDevice) -> str:
    """Return the backing file's path, if it is a name of it still."""
    gone = loop.file_id and loop.backing_file.endswith(" (deleted)")
    return "" if gone else loop.backing_file


def _with_its_device(
    mount: Mount, by_number: Mapping[str, str], number_at: Numbers
) -> Mount:
    """Name the source as the device is named; it may be a link, or ``/dev/dm-0``."""
    if mount.number in by_number or not mount.source.startswith("/"):
        return mount
    found = by_number.get(number_at(mount.source))
    return replace(mount, source=found) if found else mount


def _sources(
    mounts: Iterable[Mount], by_number: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the devices of file systems whose numbers are no device's."""
    paths = set(by_number.values())
    found: dict[str, str] = {}
    for mount in mounts:
        if mount.number and mount.source in paths:
            found.setdefault(mount.number, mount.source)
    return found
