"""What system tools print about devices, turned into facts: text in, facts out."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from s3export.domain.devices.system import BlockDevice, Mount
from s3export.domain.errors import DeviceFailed


@dataclass(frozen=True)
class LoopDevice:
    """One attached loop device.

    Attributes:
        backing_file: The name by which it was attached; what is no text in it is
            left out (`Commands`).
        offset, size_limit: In bytes; a limit of 0 reaches to the end.
        file_id: Of the backing file, the same for each of its names (`file_id`); empty
            where it is not told.
    """

    path: str
    backing_file: str
    offset: int
    size_limit: int
    read_only: bool
    file_id: str = ""

    def is_over(self, path: str, identity: str) -> bool:
        """Say whether it stands on a file of this path, or of this `file_id`.

        Either will do: some file systems number a file otherwise within the kernel
        than outside, and a path is one of several.
        """
        same_file = bool(identity) and self.file_id == identity
        return same_file or self.is_named(path)

    @property
    def file_system(self) -> str:
        """The number of the file system that its file lies on; empty if not told."""
        return self.file_id.partition(" ")[0]

    def is_named(self, path: str) -> bool:
        """Say whether it was attached by this name, as far as that is text."""
        return self.backing_file == os.fsencode(path).decode(errors="ignore")


def file_id(device: str, inode: int) -> str:
    """Identify a file by the number of its file system (``8:1``) and its own."""
    return f"{device} {inode}"


def parse_loop_devices(text: str) -> tuple[LoopDevice, ...]:
    """Read ``losetup --json --list``; it prints nothing at all where there is none."""
    if not text.strip():
        return ()
    return tuple(
        LoopDevice(
            path=entry["name"],
            backing_file=entry["back-file"] or "",
            offset=int(entry["offset"]),
            size_limit=int(entry["sizelimit"]),
            read_only=bool(entry["ro"]),
            file_id=_file_id(entry),
        )
        for entry in json.loads(text)["loopdevices"]
    )


def _file_id(entry: Mapping[str, Any]) -> str:
    device, inode = _told(entry, "back-maj:min"), _told(entry, "back-ino")
    return file_id(device.replace(" ", ""), int(inode)) if device and inode else ""


def parse_signatures(text: str) -> tuple[str, ...]:
    """Read ``wipefs --no-act --json``: the types, each once, in the disk's order."""
    if not text.strip():
        return ()
    found = json.loads(text).get("signatures", [])
    return tuple(dict.fromkeys(entry["type"] for entry in found))


@dataclass(frozen=True)
class Partition:
    """One entry of a partition table; offset and size in bytes."""

    number: int
    offset: int
    size: int


def parse_partition_table(text: str) -> tuple[Partition, ...]:
    """Read ``sfdisk --json``; nothing where there is no table.

    A protective MBR alone is no table: it stands where sfdisk rejects the GPT.
    """
    if not text.strip():
        return ()
    table = json.loads(text)["partitiontable"]
    if [entry["type"] for entry in table.get("partitions", [])] == ["ee"]:
        return ()
    sector = int(table.get("sectorsize", 512))
    return tuple(
        Partition(
            number=_number(table["device"], entry["node"]),
            offset=int(entry["start"]) * sector,
            size=int(entry["size"]) * sector,
        )
        for entry in table.get("partitions", [])
    )


def _number(device: str, node: str) -> int:
    digits = node.removeprefix(device).removeprefix("p")
    return int(digits)


def parse_probe(text: str) -> Mapping[str, str]:
    """Read ``blkid --output export``: KEY=value lines."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key: value for key, _, value in pairs}


def parse_devices(text: str) -> tuple[BlockDevice, ...]:
    """Read ``lsblk --json``: every device once, with all that it stands on.

    lsblk tells a tree; what stands on several disks (a RAID) is told below each.
    What loop devices stand on it does not tell at all.

    Raises:
        DeviceFailed: A device has no path, so that nobody can tell what it is.
    """
    found: dict[str, BlockDevice] = {}

    def add(node: Mapping[str, Any], parent: str) -> None:
        path = _told(node, "path")
        if not path:
            raise DeviceFailed(
                "lsblk told a device without its path",
                next_step="use util-linux 2.33 or newer",
            )
        known = found.get(path)
        parents = known.parents if known else ()
        if parent and parent not in parents:
            parents = (*parents, parent)
        found[path] = BlockDevice(
            path=path,
            number=_told(node, "maj:min"),
            type=_told(node, "type"),
            size_bytes=int(node.get("size") or 0),
            parents=parents,
            read_only=_flag(node, "ro"),
            removable=_flag(node, "rm") or _flag(node, "hotplug"),
            transport=_told(node, "tran"),
            model=_told(node, "model"),
            serial=_told(node, "serial"),
            content=_told(node, "fstype"),
            table=_told(node, "pttype"),
            label=_told(node, "label"),
        )
        for child in node.get("children") or ():
            add(child, path)

    for device in json.loads(text)["blockdevices"] if text.strip() else ():
        add(device, "")
    return tuple(found.values())


def _told(node: Mapping[str, Any], name: str) -> str:
    return str(node.get(name) or "").strip()


def _flag(node: Mapping[str, Any], name: str) -> bool:
    return node.get(name) in (True, "1")  # a text before util-linux 2.33


_ESCAPED = re.compile(r"\\([0-7]{3})")


def parse_mounts(text: str, namespace: str = "") -> tuple[Mount, ...]:
    """Read ``/proc/PID/mountinfo`` (proc(5)); ``namespace`` says whose it is.

    Fields end at a blank and lines at a newline, and at nothing else: the kernel
    escapes just those, and the name of a directory may hold every other separator.
    """
    mounts = []
    for line in text.split("\n"):
        before, separator, after = line.partition(" - ")
        fields, more = before.split(" "), after.split(" ")
        if separator and len(fields) >= 5 and len(more) >= 2:
            mounts.append(
                Mount(fields[2], _plain(more[1]), _plain(fields[4]), namespace)
            )
    return tuple(mounts)


def parse_swaps(text: str) -> tuple[str, ...]:
    """Read ``/proc/swaps``: the paths of files and devices."""
    paths = (re.split("[ \t]", line)[0] for line in text.split("\n")[1:])
    return tuple(_plain(path) for path in paths if path)


def _plain(text: str) -> str:
    """Undo the kernel's octal escapes of blanks and backslashes."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)
