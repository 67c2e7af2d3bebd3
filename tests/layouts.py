"""Machines whose disks were written down, put together as the program would."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from s3export.adapters.device_facts import (
    parse_devices,
    parse_loop_devices,
    parse_mounts,
    parse_swaps,
)
from s3export.adapters.device_graph import Readings, assemble
from s3export.domain.devices.system import SystemDevices

LAYOUTS = Path(__file__).with_name("data") / "layouts"

NAMES = tuple(sorted(path.name for path in LAYOUTS.iterdir() if path.is_dir()))


@cache
def machine(name: str, *, root: bool = True) -> SystemDevices:
    """Return the devices of a machine.

    Args:
        root: As root sees it, who can ask what is held and recognised.
    """
    folder = LAYOUTS / name

    def text(file: str) -> str:
        path = folder / file
        return path.read_bytes().decode() if path.exists() else ""

    def table(file: str) -> Mapping[str, str]:
        return dict(json.loads(text(file) or "{}"))

    devices = parse_devices(text("lsblk.json"))
    numbers = {device.path: device.number for device in devices}
    lies_on = table("lies_on.json")
    system = assemble(
        Readings(
            devices=devices,
            loops=parse_loop_devices(text("losetup.json")),
            mounts=(
                *parse_mounts(text("mountinfo")),
                *parse_mounts(text("mountinfo.other"), "process 812 (backupd)"),
            ),
            swaps=parse_swaps(text("swaps")),
            busy=text("busy").split(),
            names=table("by_id.json"),
        ),
        number_at=lambda path: numbers.get(path, ""),
        lies_on=lambda path: lies_on.get(path, ""),
    )
    if not root:
        return system
    return replace(
        system,
        held=system.held | frozenset(text("held").split()),
        signatures={
            path: tuple(types) for path, types in table("signatures.json").items()
        },
    )
