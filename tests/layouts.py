"""Layouts of disks as ``lsblk`` and the kernel tell them: data/layouts/README.md."""

import json
from pathlib import Path
from typing import Any

from s3export.adapters.device_facts import parse_devices, parse_mounts, parse_swaps
from s3export.adapters.system_devices import assembled
from s3export.domain.devices.system import SystemDevices

FOLDER = Path(__file__).parent / "data" / "layouts"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def layout(name: str) -> SystemDevices:
    """Return one layout, put together as the program does it."""
    told: Any = json.loads((FOLDER / f"{name}.json").read_text())
    mounts = parse_mounts("\n".join(told["mountinfo"]))
    for whose, lines in told.get("other_namespaces", {}).items():
        mounts += parse_mounts("\n".join(lines), whose)
    devices = parse_devices(json.dumps(told["lsblk"]))
    by_path = {device.path: device.number for device in devices}
    swaps = parse_swaps("\n".join(["Filename Type", *told.get("swaps", [])]))
    return assembled(
        devices,
        below=told.get("loops", {}),
        mounts=mounts,
        swaps=[told.get("names", {}).get(path, path) for path in swaps],
        by_id={by_path[p]: name for p, name in told.get("by_id", {}).items()},
        sequences={},
        held=told.get("held", ()),
        signatures={
            path: tuple(found) for path, found in told.get("signatures", {}).items()
        },
    )
