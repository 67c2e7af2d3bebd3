"""Reads the graph of block devices, mounts and swap space of this system."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from s3export.adapters import command_lines
from s3export.adapters.commands import Commands
from s3export.adapters.device_facts import (
    LoopDevice,
    file_id,
    parse_devices,
    parse_loop_devices,
    parse_mounts,
    parse_signatures,
    parse_swaps,
)
from s3export.adapters.device_graph import Readings, assemble
from s3export.domain.devices.system import Mount, SystemDevices
from s3export.domain.errors import DeviceFailed

_PROCESSES = Path("/proc")
_BY_ID = Path("/dev/disk/by-id")
_NUMBERS = Path("/sys/dev/block")
_BTRFS = Path("/sys/fs/btrfs")


class SystemGraph:
    """What stands on what, as it is when it is read."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def read(self) -> SystemDevices:
        """Return all devices, without looking at what they hold."""
        listed = self._commands.run(command_lines.list_block_devices()).stdout
        devices = parse_devices(listed)
        readings = Readings(
            devices=devices,
            loops=self.loops(),
            mounts=tuple(_all_mounts()),
            swaps=parse_swaps(_swaps()),
            swap_files=_swap_files(),
            busy=tuple(_members_of_mounted()),
            names=_lasting_names(),
            sequences={each.number: _sequence(each.number) for each in devices},
        )
        return assemble(readings, _number_of, _lies_on)

    def read_from(self, path: str) -> tuple[SystemDevices, str]:
        """Return all devices, and look at the one at a path and what stands on it.

        Returns:
            The devices, and the path that the device has among them; empty if it is
            none of them.
        """
        system = self.read()
        number = _number_of(path)
        same = (d.path for d in system.devices if number and d.number == number)
        found = next(same, "")
        return self.looked_at(system, [found] if found else []), found

    def looked_at(self, system: SystemDevices, paths: Iterable[str]) -> SystemDevices:
        """Return the system with what is held and recognised on some devices."""
        paths = tuple(paths)
        trees = dict.fromkeys(each for path in paths for each in system.tree(path))
        twins = dict.fromkeys(twin for path in paths for twin in system.twins(path))
        beside = dict.fromkeys(each for twin in twins for each in system.tree(twin))
        return replace(
            system,
            signatures={path: self.signatures(path) for path in trees},
            held=system.held | frozenset(filter(is_held, trees | beside)),
        )

    def loops(self) -> tuple[LoopDevice, ...]:
        """Return all loop devices."""
        listed = self._commands.run(command_lines.list_loop_devices())
        return parse_loop_devices(listed.stdout)

    def swap_file(self, path: str) -> str:
        """Return the name by which a file is swap space in use; empty if it is none."""
        return _swap_files().get(identity_of(path), "")

    def signatures(self, path: str) -> tuple[str, ...]:
        """Return what is recognised on a device; nothing where it cannot be read."""
        if not os.access(path, os.R_OK):
            return ()
        try:
            listed = self._commands.run(command_lines.list_signatures(path))
        except DeviceFailed:
            return ()  # unknown, as for a device without any
        return parse_signatures(listed.stdout)


def identity_of(path: str) -> str:
    """Return the `file_id` of a file, links followed; empty where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - bytes-safe, and no Path needed
    except OSError:
        return ""
    return file_id(_text(found.st_dev), found.st_ino)


def loops_over(path: str, loops: Iterable[LoopDevice]) -> list[LoopDevice]:
    """Return those of some loop devices that stand on a file, by whatever name."""
    real, identity = os.path.realpath(path), identity_of(path)
    return [loop for loop in loops if loop.is_over(real, identity)]


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


def _lies_on(path: str) -> str:
    try:
        return _text(os.stat(path).st_dev)  # noqa: PTH116
    except OSError:
        return ""  # deleted, or in another mount namespace


def _text(number: int) -> str:
    return f"{os.major(number)}:{os.minor(number)}"


def _content(path: Path) -> str:
    """Return what a file says, byte for byte: names in it are in no encoding."""
    return os.fsdecode(path.read_bytes())


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
    names.pop("", None)  # links to nothing
    return names


def _sequence(number: str) -> int:
    """Return the disk's ``diskseq`` (Linux 5.15 on); 0 for none."""
    for place in (_NUMBERS / number, _NUMBERS / number / ".."):
        with contextlib.suppress(OSError, ValueError):
            return int((place / "diskseq").read_text())
    return 0


def _swaps() -> str:
    try:
        return _content(_PROCESSES / "swaps")
    except FileNotFoundError:
        return ""  # a kernel that cannot swap


def _swap_files() -> Mapping[str, str]:
    """Return the paths of swap files in use by their `file_id`."""
    found = {
        identity_of(path): path
        for path in parse_swaps(_swaps())
        if not _number_of(path)
    }
    found.pop("", None)  # removed, or in another mount namespace
    return found


def _members_of_mounted() -> Iterator[str]:
    """Yield the numbers of all devices that mounted btrfs file systems lie on."""
    for device in _BTRFS.glob("*/devices/*/dev"):
        with contextlib.suppress(OSError):
            yield _content(device).strip()


def _all_mounts() -> Iterator[Mount]:
    """Yield the mounts of every mount namespace that can be looked at, ours first."""
    try:
        seen = {str((_PROCESSES / "self/ns/mnt").readlink())}
        yield from parse_mounts(_content(_PROCESSES / "self/mountinfo"))
    except OSError as error:
        raise DeviceFailed(
            f"{error.filename} cannot be read ({error.strerror}), so that nobody can "
            "tell what is mounted",
            next_step=f"mount -t proc proc {_PROCESSES}",
        ) from error
    for process in sorted(_PROCESSES.glob("[0-9]*"), key=lambda p: int(p.name)):
        with contextlib.suppress(OSError):
            namespace = str((process / "ns/mnt").readlink())
            if namespace in seen:
                continue
            text = _content(process / "mountinfo")
            name = _content(process / "comm").strip()
            seen.add(namespace)
            yield from parse_mounts(text, f"process {process.name} ({name})")
