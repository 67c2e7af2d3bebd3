"""Runs within user-mode Linux: reads a container, in turn by us and by dm-crypt.

Arguments: the device that the container is on, how many MiB, how many rounds. Prints
the seconds of every run as JSON.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from s3export.adapters.byte_sources import FileSource
from s3export.adapters.containers.opening import open_volume
from s3export.domain.containers import ContainerKey
from s3export.domain.secret import Secret

PASSWORD = "correct horse"
_NAME = "bench"
_MIB = 1 << 20


def by_us(device: str, mib: int) -> None:
    """Open it in userspace and read so much of its plain content."""
    with FileSource(device) as source:
        _, plain = open_volume(source, ContainerKey(Secret(PASSWORD)))
        for start in range(0, mib * _MIB, _MIB):
            plain.read(start, _MIB)


def by_dm_crypt(device: str, mib: int) -> None:
    """Open it with cryptsetup and read as much through the kernel."""
    line = ["cryptsetup", "open", "--type", "tcrypt", "--readonly", "--key-file", "-"]
    subprocess.run([*line, device, _NAME], input=PASSWORD.encode(), check=True)
    try:
        with open(f"/dev/mapper/{_NAME}", "rb", buffering=0) as plain:  # noqa: PTH123
            buffer = bytearray(_MIB)
            left = mib
            while left and plain.readinto(buffer):
                left -= 1
    finally:
        subprocess.run(["cryptsetup", "close", _NAME], check=True)


def seconds(read: Callable[[str, int], None], device: str, mib: int) -> float:
    """Measure one run that finds nothing in memory."""
    Path("/proc/sys/vm/drop_caches").write_text("3")
    started = time.perf_counter()
    read(device, mib)
    return time.perf_counter() - started


def main() -> None:
    """Run both in turn."""
    device, mib, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    took: dict[str, list[float]] = {"us": [], "dm-crypt": []}
    for _ in range(rounds):
        took["us"].append(seconds(by_us, device, mib))
        took["dm-crypt"].append(seconds(by_dm_crypt, device, mib))
    print(json.dumps(took))


if __name__ == "__main__":
    main()
