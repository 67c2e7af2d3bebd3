"""What system tools print about devices, turned into facts: text in, facts out."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from s3export.domain.devices import DeviceFacts, DeviceKind

_DISK_TYPES = ("disk", "loop")
_MAPPING_TYPES = ("part", "crypt", "lvm", "dm", "md", "mpath", "raid")
_CARD_OR_USB = ("usb", "mmc")


@dataclass(frozen=True)
class LoopDevice:
    """One attached loop device.

    Attributes:
        offset, size_limit: In bytes; a limit of 0 reaches to the end.
    """

    path: str
    backing_file: str
    offset: int
    size_limit: int
    read_only: bool


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
        )
        for entry in json.loads(text)["loopdevices"]
    )


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


def parse_block_device(
    text: str,
    *,
    loops: Iterable[LoopDevice],
    signatures: Callable[[str], tuple[str, ...]],
    held: Callable[[str], bool],
    again: Callable[[str], str],
) -> DeviceFacts | None:
    """Read ``lsblk --json`` for one device.

    ``lsblk`` does not show a loop device that is attached to another block device as
    standing on it, and the kernel does not count the latter as busy; so these are
    looked up among all loop devices and added.

    Args:
        loops: All loop devices of the system.
        signatures: Tells what is recognised on a device.
        held: Tells whether a device is held exclusively.
        again: Returns ``lsblk --json`` for another device, a loop on this one.

    Returns:
        ``None`` where lsblk knows of no such device.
    """
    known = tuple(loops)

    def facts(node: Mapping[str, Any], kind: DeviceKind) -> DeviceFacts:
        path = str(node["path"])
        children = [
            facts(child, _child_kind(str(child["type"])))
            for child in node.get("children", [])
        ]
        for loop in known:
            if loop.backing_file == path:
                attached = json.loads(again(loop.path))["blockdevices"]
                children += [facts(other, DeviceKind.OTHER) for other in attached]
        return DeviceFacts(
            path=path,
            kind=kind,
            size_bytes=int(node["size"] or 0),
            serial=str(node["serial"] or "").strip(),
            model=str(node["model"] or "").strip(),
            transport=str(node["tran"] or ""),
            removable=bool(node["rm"] or node["hotplug"])
            or node["tran"] in _CARD_OR_USB,
            read_only=bool(node["ro"]),
            signatures=signatures(path),
            mount_points=tuple(place for place in node["mountpoints"] if place),
            held=held(path),
            parts=tuple(children),
        )

    devices = json.loads(text)["blockdevices"]
    if not devices:
        return None
    return facts(devices[0], _named_kind(str(devices[0]["type"])))


def _named_kind(lsblk_type: str) -> DeviceKind:
    if lsblk_type in _DISK_TYPES:
        return DeviceKind.DISK
    if lsblk_type.startswith(_MAPPING_TYPES):
        return DeviceKind.PARTITION
    return DeviceKind.OTHER


def _child_kind(lsblk_type: str) -> DeviceKind:
    return DeviceKind.PARTITION if lsblk_type == "part" else DeviceKind.OTHER
