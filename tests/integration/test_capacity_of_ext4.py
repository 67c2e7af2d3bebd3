"""What a disk is reckoned to hold, against file systems that mke2fs makes."""

import re
import subprocess
from pathlib import Path

import pytest

from s3export.domain.disk_filling import capacity_of

_MIB = 1 << 20
_GIB = 1 << 30


@pytest.mark.parametrize(
    "size",
    [
        64 * _MIB,
        256 * _MIB,
        _GIB,
        4 * _GIB,
        32 * _GIB,
        128 * _GIB,
        500 * _GIB,
        1024 * _GIB,
        4096 * _GIB,
        8192 * _GIB,
        15 * 1024 * _GIB,
    ],
)
def test_no_disk_is_reckoned_to_hold_more_than_it_does(
    tmp_path: Path, size: int
) -> None:
    """Nor much less: within a tenth of the smallest, within 1 % from 4 GiB on."""
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(size)
    lazily = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
    subprocess.run(
        ["mkfs.ext4", "-q", "-F", "-m", "0", "-E", lazily, image],
        check=True,
        capture_output=True,
    )
    told = subprocess.run(
        ["dumpe2fs", "-h", image], check=True, capture_output=True, text=True
    ).stdout
    numbers = dict(re.findall(r"^(\S[^:]*): +(\d+)$", told, re.M))
    free = int(numbers["Free blocks"]) * int(numbers["Block size"])

    capacity = capacity_of(size)

    assert capacity.size_bytes <= free
    assert capacity.size_bytes >= free * (0.99 if size >= 4 * _GIB else 0.88)
    assert capacity.inodes <= int(numbers["Free inodes"])
    assert capacity.inodes >= int(numbers["Free inodes"]) * 0.99
