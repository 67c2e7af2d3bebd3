"""What system tools print: recorded outputs, and the parsers over them."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import LAYOUTS
from strategies import SETTINGS

from s3export.adapters.device_facts import (
    LoopDevice,
    Partition,
    file_id,
    parse_devices,
    parse_loop_devices,
    parse_mounts,
    parse_partition_table,
    parse_probe,
    parse_signatures,
    parse_swaps,
)
from s3export.adapters.gpt import primary_partitions
from s3export.domain.devices.system import BlockDevice, Mount
from s3export.domain.errors import DeviceFailed

DATA = Path(__file__).parents[1] / "data"
MIB = 1 << 20


def recorded(name: str) -> str:
    """Return the real output of a tool (util-linux 2.38.1)."""
    return (DATA / name).read_text()


def layout(name: str, file: str) -> str:
    """Return what was recorded of a machine."""
    return (LAYOUTS / name / file).read_bytes().decode()


def one_device(**told: Any) -> BlockDevice:
    """Read a device of which little is told."""
    text = json.dumps({"blockdevices": [{"path": "/dev/sda", **told}]})
    (device,) = parse_devices(text)
    return device


def test_a_partition_stands_on_its_disk() -> None:
    """Each has its size in bytes; columns that were not asked for are empty."""
    disk, part = parse_devices(recorded("lsblk-loop-with-partition.json"))

    assert disk == BlockDevice("/dev/loop0", "", "loop", 64 * MIB)
    assert part == BlockDevice(
        "/dev/loop0p1", "", "part", 62 * MIB, parents=("/dev/loop0",)
    )


def test_a_raid_told_below_each_member_is_one_device_on_both() -> None:
    """So is what stands on it."""
    devices = parse_devices(layout("server-raid", "lsblk.json"))
    by_path = {device.path: device for device in devices}

    assert len(by_path) == len(devices) == 9
    assert by_path["/dev/md0"].parents == ("/dev/ubda1", "/dev/ubdb1")
    assert by_path["/dev/mapper/vg0-swap"].parents == ("/dev/md1",)


def test_a_disk_reached_by_two_ways_and_a_cached_one_stand_on_both() -> None:
    """Lsblk calls a bcache device a disk."""
    multipath = parse_devices(layout("multipath", "lsblk.json"))
    bcache = parse_devices(layout("bcache", "lsblk.json"))

    (mapping,) = (d for d in multipath if d.type == "mpath")
    (cached,) = (d for d in bcache if d.path == "/dev/bcache0")
    assert mapping.parents == ("/dev/ubdb", "/dev/ubdc")
    assert (cached.type, cached.parents) == ("disk", ("/dev/ubda", "/dev/ubdb"))


def test_no_devices_are_no_facts() -> None:
    """Lsblk prints an empty list, or nothing where only one device was asked for."""
    assert parse_devices(layout("no-disk", "lsblk.json")) == ()
    assert parse_devices('{"blockdevices": []}') == ()
    assert parse_devices("") == ()


def test_a_device_of_which_nothing_is_told_is_still_there() -> None:
    """Null and missing columns are empty; a list of children may be null, too."""
    columns = ("maj:min", "type", "size", "ro", "rm", "hotplug", "tran", "model")
    nulls = one_device(**dict.fromkeys(columns), children=None)

    assert nulls == one_device() == BlockDevice("/dev/sda", "", "")


def test_a_device_without_a_path_is_never_left_out() -> None:
    """What cannot be named cannot be judged, so nothing is."""
    with pytest.raises(DeviceFailed, match="without its path") as refused:
        parse_devices('{"blockdevices": [{"name": "sda"}]}')

    assert "util-linux" in refused.value.next_step


@pytest.mark.parametrize(("told", "meant"), [(True, True), (False, False)])
def test_flags_are_read_as_values_and_as_text(told: bool, meant: bool) -> None:
    """An older lsblk puts everything in quotes; ``"0"`` is no."""
    for value in (told, str(int(told))):
        device = one_device(ro=value, rm=value, size="1024")
        assert (device.read_only, device.removable) == (meant, meant)
        assert device.size_bytes == 1024
    assert one_device(hotplug=told).removable == meant


def test_names_are_kept_as_the_disk_tells_them() -> None:
    """Control characters are for whoever shows them to take out."""
    disk = parse_devices(layout("hostile-names", "lsblk.json"))[1]

    assert disk.model == "Nice \x1b[2J\u202eSSD\u202c\x07Disk"
    assert disk.serial == "AB\x1b[31m\u202e12\u2066"
    assert disk.label == "\x1b[2J\u202egpj\u202c"


def test_mounts_have_the_devices_number_and_its_source() -> None:
    """A file system on several disks has a number that is no device's."""
    root, data = parse_mounts(layout("btrfs", "mountinfo"))

    assert root == Mount("98:32", "/dev/ubdc", "/")
    assert data == Mount("0:20", "/dev/ubda", "/data")


def test_a_mounts_place_is_told_with_its_namespace() -> None:
    """Ours has none."""
    (ours,) = parse_mounts(layout("other-namespace", "mountinfo"))
    *_, other = parse_mounts(layout("other-namespace", "mountinfo.other"), "process 8")

    assert ours.told == "/"
    assert other.told == "/mnt/backup in the mount namespace of process 8"


@pytest.mark.parametrize("optional", ["", "shared:1 ", "shared:2 master:3 unbindable "])
def test_any_number_of_optional_fields_stands_in_a_mounts_line(optional: str) -> None:
    """They end at a lone hyphen (proc(5))."""
    line = f"36 35 8:17 / /mnt/x rw,relatime {optional}- ext4 /dev/sdb1 rw\n"

    assert parse_mounts(line) == (Mount("8:17", "/dev/sdb1", "/mnt/x"),)


def test_octal_escapes_are_undone() -> None:
    """The kernel writes blanks, tabs, newlines and backslashes so."""
    *_, inner = parse_mounts(layout("loop-on-usb", "mountinfo"))
    line = r"1 2 8:1 / /a\040b\011c\012d\134040e rw - ext4 /dev/disk\0401 rw"
    (mount,) = parse_mounts(line)

    assert inner.place == "/mnt/inner dir"
    assert mount.place == "/a b\tc\nd\\040e"
    assert mount.source == "/dev/disk 1"


@pytest.mark.parametrize(
    "name", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u2028", "\u3000", "\udcff"]
)
def test_no_character_in_a_directorys_name_hides_a_mount(name: str) -> None:
    """To Python some of them end a line or a word, to the kernel they do not."""
    place = f"/mnt/a{name}b"
    swaps = f"Filename Type\n{place}\t\tfile\t\t1\t0\t-2\n"

    assert parse_mounts(f"1 2 8:1 / {place} rw - ext4 /dev/sda1 rw\n") == (
        Mount("8:1", "/dev/sda1", place),
    )
    assert parse_swaps(swaps) == (place,)


def test_a_source_may_be_empty_and_a_line_broken() -> None:
    """What is no mount is left out."""
    assert parse_mounts("1 2 0:5 / /x rw - tmpfs  rw\n\n1 2 8:1 / /y rw\n") == (
        Mount("0:5", "", "/x"),
    )
    assert parse_mounts("") == ()


def test_swap_space_has_paths() -> None:
    """Of partitions, mappings and files; the heading is none of them."""
    line = "/swap\\040file\\040(deleted)              file\t\t1\t0\t-2\n"

    assert parse_swaps(layout("laptop", "swaps")) == ("/dev/mapper/laptop--vg-swap_1",)
    assert parse_swaps(layout("nvme", "swaps")) == ("/dev/nvme0n1p3",)
    assert parse_swaps(layout("no-disk", "swaps")) == ()
    assert parse_swaps(f"Filename\t\tType\n{line}") == ("/swap file (deleted)",)
    assert parse_swaps("") == ()


def test_loop_devices_are_listed_with_their_files() -> None:
    """An empty list may also be no output at all."""
    (loop,) = parse_loop_devices(recorded("losetup-list.json"))
    (on_stick,) = parse_loop_devices(layout("loop-on-usb", "losetup.json"))

    assert loop == LoopDevice("/dev/loop0", "/images/disk.img", 0, 0, read_only=False)
    assert on_stick.backing_file == "/media/stick/inner disk.img"
    assert parse_loop_devices("") == ()


def test_a_loop_devices_file_is_known_by_its_number() -> None:
    """Whatever it is called, and where none of its names is text; to root alone."""
    listed = (DATA / "losetup-files.json").read_bytes().decode(errors="ignore")
    by_path = {loop.path: loop for loop in parse_loop_devices(listed)}
    first, linked = by_path["/dev/loop0"], by_path["/dev/loop1"]
    no_text = by_path["/dev/loop2"]

    assert first.file_id == linked.file_id == file_id("254:0", 2507507)
    assert first.file_system == "254:0"
    assert linked.backing_file == "/images/hard.img (deleted)"
    assert linked.is_over("/images/other", "254:0 2507507")
    assert first.is_over("/images/a.img", "0:40 2507507")
    assert no_text.is_over("/images/\udcff.img", "")
    assert not first.is_over("/images/b.img", "254:0 2507520")

    user = (DATA / "losetup-files-user.json").read_bytes().decode(errors="ignore")
    for loop in parse_loop_devices(user):
        assert (loop.file_id, loop.file_system) == ("", "")
        assert not loop.is_over("/images/b.img", "")


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
