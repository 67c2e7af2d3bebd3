"""Reads the graph of block devices, mounts and swap space of this system."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from s3export.adapters import command_lines
from s3export.adapters.commands import Commands
from s3export.adapters.device_facts import (
    LoopDevice,
    parse_devices,
    parse_loop_devices,
    parse_mounts,
    parse_signatures,
    parse_swaps,
)
from s3export.domain.devices.system import BlockDevice, Mount, SystemDevices
from s3export.domain.errors import DeviceFailed

_PROCESSES = Path("/proc")
_BY_ID = Path("/dev/disk/by-id")
_NUMBERS = Path("/sys/dev/block")


def assembled(
    devices: Iterable[BlockDevice],
    *,
    below: Mapping[str, str],
    mounts: Iterable[Mount],
    swaps: Iterable[str],
    by_id: Mapping[str, str],
    sequences: Mapping[str, int],
    held: Iterable[str] = (),
    signatures: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> SystemDevices:
    """Put together what was read.

    Args:
        devices: As lsblk tells them.
        below: What each loop device stands on; empty where that is no device.
        by_id: Names that do not change, by number.
        sequences: Of arrival, by number.
    """
    return SystemDevices(
        devices=tuple(
            replace(
                device,
                parents=_parents(device, below),
                by_id=by_id.get(device.number, ""),
                sequence=sequences.get(device.number, 0),
            )
            for device in devices
        ),
        mounts=tuple(mounts),
        swaps=frozenset(swaps),
        signatures=signatures,
        held=frozenset(held),
    )


def _parents(device: BlockDevice, below: Mapping[str, str]) -> tuple[str, ...]:
    holder = below.get(device.path, "")
    if holder and holder != device.path:
        return (*device.parents, holder)
    return device.parents


class SystemGraph:
    """What stands on what, as it is when it is read."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def read(self) -> SystemDevices:
        """Return all devices, without looking at what they hold."""
        listed = self._commands.run(command_lines.list_block_devices()).stdout
        devices = parse_devices(listed)
        mounts = tuple(_all_mounts())
        by_number = {device.number: device.path for device in devices}
        return assembled(
            devices,
            below={
                loop.path: _holder_of(loop.backing_file, by_number, mounts)
                for loop in self.loops()
            },
            mounts=mounts,
            swaps=_swap_devices(by_number),
            by_id=_lasting_names(),
            sequences={number: _sequence(number) for number in by_number},
        )

    def read_from(self, path: str) -> tuple[SystemDevices, str]:
        """Return all devices, and look at the one at a path and what stands on it.

        Returns:
            The devices, and the path that the device has among them; empty if it is
            none of them.
        """
        system = self.read()
        number = _number_of(path)
        found = next((d.path for d in system.devices if d.number == number), "")
        return self.looked_at(system, [found] if found else []), found

    def looked_at(self, system: SystemDevices, paths: Iterable[str]) -> SystemDevices:
        """Return the system with what is held and recognised on some devices."""
        trees = dict.fromkeys(each for path in paths for each in system.tree(path))
        return replace(
            system,
            signatures={path: self.signatures(path) for path in trees},
            held=frozenset(filter(is_held, trees)),
        )

    def loops(self) -> tuple[LoopDevice, ...]:
        """Return all loop devices."""
        listed = self._commands.run(command_lines.list_loop_devices())
        return parse_loop_devices(listed.stdout)

    def signatures(self, path: str) -> tuple[str, ...]:
        """Return what is recognised on a device; nothing where it cannot be read."""
        if not os.access(path, os.R_OK):
            return ()
        try:
            listed = self._commands.run(command_lines.list_signatures(path))
        except DeviceFailed:
            return ()  # unknown, as for a device without any
        return parse_signatures(listed.stdout)


def is_held(path: str) -> bool:
    """Ask the kernel whether anyone holds a device exclusively: open(2), O_EXCL."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        return error.errno == errno.EBUSY
    os.close(fd)
    return False


def _number_of(path: str) -> str:
    try:
        found = os.stat(path)  # noqa: PTH116 - bytes-safe, and no Path needed
    except OSError:
        return ""
    if not stat.S_ISBLK(found.st_mode):
        return ""
    return _text(found.st_rdev)


def _text(number: int) -> str:
    return f"{os.major(number)}:{os.minor(number)}"


def _lasting_names() -> Mapping[str, str]:
    """Return names that do not change (udev's by-id), by number; the shortest each."""
    names: dict[str, str] = {}
    with contextlib.suppress(OSError):
        paths = sorted(map(str, _BY_ID.iterdir()), key=lambda name: (len(name), name))
        for path in paths:
            number = _number_of(path)
            if number and not Path(path).name.startswith(("wwn-", "nvme-eui.")):
                names.setdefault(number, path)
        for path in paths:
            names.setdefault(_number_of(path), path)
    return names


def _sequence(number: str) -> int:
    """Return the disk's ``diskseq`` (Linux 5.15 on); 0 for none."""
    for place in (_NUMBERS / number, _NUMBERS / number / ".."):
        with contextlib.suppress(OSError, ValueError):
            return int((place / "diskseq").read_text())
    return 0


def _all_mounts() -> Iterator[Mount]:
    """Yield the mounts of every mount namespace that can be looked at, ours first."""
    seen = set()
    with contextlib.suppress(OSError):
        seen.add(str((_PROCESSES / "self/ns/mnt").readlink()))
        yield from parse_mounts((_PROCESSES / "self/mountinfo").read_text())
    for process in sorted(_PROCESSES.glob("[0-9]*")):
        with contextlib.suppress(OSError):
            namespace = str((process / "ns/mnt").readlink())
            if namespace in seen:
                continue
            text = (process / "mountinfo").read_text()
            name = (process / "comm").read_text().strip()
            seen.add(namespace)
            whose = f"in the mount namespace of process {process.name} ({name})"
            yield from parse_mounts(text, whose)


def _holder_of(
    backing_file: str, by_number: Mapping[str, str], mounts: Iterable[Mount]
) -> str:
    """Return the device that a loop device's file is, or lies on; empty for none."""
    try:
        found = os.stat(backing_file)  # noqa: PTH116
    except OSError:
        return ""  # deleted, or in another mount namespace
    if stat.S_ISBLK(found.st_mode):
        return by_number.get(_text(found.st_rdev), "")
    number = _text(found.st_dev)
    if number in by_number:
        return by_number[number]
    paths = set(by_number.values())
    sources = (os.path.realpath(m.source) for m in mounts if m.number == number)
    return next((source for source in sources if source in paths), "")


def _swap_devices(by_number: Mapping[str, str]) -> Iterator[str]:
    try:
        swaps = parse_swaps((_PROCESSES / "swaps").read_text())
    except OSError:
        return
    for path in swaps:
        found = by_number.get(_number_of(path))
        if found:
            yield found
