"""What system tools print: recorded outputs, and the parsers over them."""

import json
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from s3export.adapters.device_facts import (
    LoopDevice,
    Partition,
    parse_devices,
    parse_loop_devices,
    parse_mounts,
    parse_partition_table,
    parse_probe,
    parse_signatures,
    parse_swaps,
)
from s3export.adapters.gpt import primary_partitions
from s3export.domain.devices.system import Mount

DATA = Path(__file__).parents[1] / "data"
MIB = 1 << 20


def recorded(name: str) -> str:
    """Return the real output of a tool (util-linux 2.38.1)."""
    return (DATA / name).read_text()


def test_a_loop_device_with_a_partition() -> None:
    """The partition stands on the disk, each with its size in bytes."""
    disk, part = parse_devices(recorded("lsblk-loop-with-partition.json"))

    assert (disk.path, disk.type, disk.size_bytes, disk.parents) == (
        "/dev/loop0",
        "loop",
        64 * MIB,
        (),
    )
    assert (part.path, part.type, part.parents) == (
        "/dev/loop0p1",
        "part",
        ("/dev/loop0",),
    )


def test_what_stands_on_several_disks_is_one_device() -> None:
    """Lsblk tells a RAID below each of its members."""
    raid = {"path": "/dev/md0", "maj:min": "9:0", "type": "raid1", "size": 7}
    members = [
        {"path": f"/dev/sd{x}", "maj:min": f"8:{n}", "type": "disk", "size": "8",
         "serial": f" {x} ", "children": [raid]}
        for n, x in enumerate("ab")
    ]  # fmt: skip

    devices = {d.path: d for d in parse_devices(json.dumps({"blockdevices": members}))}

    assert devices.keys() == {"/dev/sda", "/dev/sdb", "/dev/md0"}
    assert devices["/dev/md0"].parents == ("/dev/sda", "/dev/sdb")
    assert devices["/dev/sda"].serial == "a"


@pytest.mark.parametrize("text", ["", '{"blockdevices": []}'])
def test_no_device_is_no_device(text: str) -> None:
    """Lsblk may list nothing, or print nothing."""
    assert parse_devices(text) == ()


def test_mounts_are_read_from_mountinfo() -> None:
    """Blanks are escaped by the kernel, and optional fields come and go."""
    text = (
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
        "27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw\n"
        "90 27 8:17 / /media/my\\040disk\\134 rw - ext4 /dev/sdb1 rw\n"
        "91 27 0:45 /@ /data rw - btrfs /dev/sdc rw\n"
        "cut short\n"
    )

    assert parse_mounts(text, "elsewhere") == (
        Mount("0:21", "proc", "/proc", "elsewhere"),
        Mount("254:0", "/dev/vda", "/", "elsewhere"),
        Mount("8:17", "/dev/sdb1", "/media/my disk\\", "elsewhere"),
        Mount("0:45", "/dev/sdc", "/data", "elsewhere"),
    )


def test_swaps_are_files_and_devices() -> None:
    """Without the heading."""
    text = (
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
        "/dev/dm-1                               partition\t999420\t\t0\t\t-2\n"
        "/my\\040swap                              file\t\t1024\t\t0\t\t-3\n"
    )

    assert parse_swaps(text) == ("/dev/dm-1", "/my swap")
    assert parse_swaps("Filename\n") == ()


def test_loop_devices_are_listed_with_their_files() -> None:
    """An empty list may also be no output at all."""
    (loop,) = parse_loop_devices(recorded("losetup-list.json"))

    assert loop == LoopDevice("/dev/loop0", "/images/disk.img", 0, 0, read_only=False)
    assert parse_loop_devices("") == ()


def test_signatures_are_named_once_each() -> None:
    """A GPT is one table, although its signature stands at both ends of the disk."""
    assert parse_signatures(recorded("wipefs-gpt.json")) == ("gpt", "PMBR")
    assert parse_signatures(recorded("wipefs-ext4.json")) == ("ext4",)
    assert parse_signatures("") == ()


def test_partitions_have_their_place_in_bytes() -> None:
    """Sfdisk counts in sectors."""
    assert parse_partition_table(recorded("sfdisk-gpt.json")) == (
        Partition(1, MIB, 62 * MIB),
    )
    assert parse_partition_table("") == ()


def test_a_protective_mbr_is_no_table() -> None:
    """Sfdisk shows it where the GPT's backup is cut off; the primary GPT is read."""
    assert parse_partition_table(recorded("sfdisk-gpt-cut-off.json")) == ()
    first = DATA / "gpt-first-34-sectors.bin"
    assert [p.number for p in primary_partitions(str(first))] == []


def test_the_primary_gpt_is_enough(tmp_path: Path) -> None:
    """A partition that reaches beyond the disk's end is cut there."""
    disk = tmp_path / "disk.img"
    disk.write_bytes((DATA / "gpt-first-34-sectors.bin").read_bytes())
    with disk.open("r+b") as file:
        file.truncate(60 * MIB)

    assert primary_partitions(str(disk)) == (Partition(1, MIB, 59 * MIB),)


@given(st.integers(512, 17_407), st.integers(1, 255))
@SETTINGS
def test_a_gpt_with_one_wrong_byte_is_not_believed(place: int, flip: int) -> None:
    """Header and table carry checksums; padding alone may differ."""
    content = bytearray((DATA / "gpt-first-34-sectors.bin").read_bytes())
    content[place] ^= flip
    if 512 + 92 <= place < 1024:
        return
    disk = Path("/dev/shm", f"s3export-test-{id(content)}")
    disk.write_bytes(bytes(content) + bytes(2 * MIB))
    try:
        assert primary_partitions(str(disk)) == ()
    finally:
        disk.unlink()


def gpt(
    sector: int, *, table: int = 2, count: int = 1, first: int = 8, last: int = 15
) -> bytes:
    """Return a disk of 16 sectors whose GPT has right checksums, whatever it says."""
    entry = struct.pack("<16s16sQQQ72x", b"kind", b"own", first, last, 0)
    disk = bytearray(16 * sector)
    disk[2 * sector : 2 * sector + len(entry)] = entry
    entries = disk[table * sector : table * sector + count * 128]
    header = struct.pack(
        "<8sIII4xQQQQ16sQII", b"EFI PART", 1 << 16, 92, 0, 1, 15, 3, 14, b"disk",
        table, count, 128,
    )  # fmt: skip
    header += struct.pack("<I", zlib.crc32(entries))
    disk[sector : sector + 92] = header
    disk[sector + 16 : sector + 20] = struct.pack("<I", zlib.crc32(header))
    return bytes(disk)


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize(
    "said",
    [
        {"table": 16},
        {"table": 1 << 51},
        {"table": 1 << 55},
        {"table": (1 << 64) - 1},
        {"table": 14, "count": 100},
        {"first": 9, "last": 8},
        {"first": 9, "last": 0},
        {"first": 16, "last": 17},
        {"first": (1 << 64) - 1, "last": (1 << 64) - 1},
    ],
    ids=str,
)
def test_a_gpt_that_says_what_cannot_be_has_no_partitions(
    sector: int, said: dict[str, int], tmp_path: Path
) -> None:
    """Checksums are right on a disk that was made to mislead, too."""
    disk = tmp_path / "disk.img"
    disk.write_bytes(gpt(sector))
    assert primary_partitions(str(disk)) == (Partition(1, 8 * sector, 8 * sector),)

    disk.write_bytes(gpt(sector, **said))

    assert primary_partitions(str(disk)) == ()


def test_a_probe_is_lines_of_names_and_values() -> None:
    """Nothing recognised is nothing printed."""
    probed = parse_probe(recorded("blkid-ext4.txt"))

    assert (probed["TYPE"], probed["USAGE"]) == ("ext4", "filesystem")
    assert parse_probe("") == {}
