"""What was read of a system is put together into one graph."""

from dataclasses import replace

from s3export.adapters.device_facts import LoopDevice
from s3export.adapters.device_graph import Readings, assemble
from s3export.domain.devices import refusals_to_read, refusals_to_write
from s3export.domain.devices.system import BlockDevice, Mount, SystemDevices

SIZE = 1 << 30
DISK = BlockDevice("/dev/sda", "8:0", "disk", SIZE)
MAPPING = BlockDevice("/dev/mapper/x", "253:0", "crypt", SIZE, parents=("/dev/sda",))
LOOP = BlockDevice("/dev/loop0", "7:0", "loop", SIZE)


def system(*mounts: Mount, loop_on: str = "", busy: str = "") -> SystemDevices:
    """Return a disk, a mapping on it, ``/dev/dm-0`` too, and a loop device."""
    numbers = {"/dev/sda": "8:0", "/dev/dm-0": "253:0", "/dev/mapper/x": "253:0"}
    files = {"/disk/file": "8:0", "/pool/file": "0:40", "/elsewhere/file": "0:41"}
    loops = [LoopDevice("/dev/loop0", loop_on, 0, 0, False)] if loop_on else []
    return assemble(
        Readings(
            devices=[DISK, MAPPING, LOOP],
            loops=loops,
            mounts=mounts,
            swaps=["/dev/dm-0", "/a swap file"] if busy == "swap" else [],
            busy=[busy] if busy else [],
            names={"8:0": "/dev/disk/by-id/usb-x", "": "/dev/disk/by-id/dangling"},
            sequences={"8:0": 7, "253:0": 8},
        ),
        number_at=lambda path: numbers.get(path, ""),
        lies_on=lambda path: files.get(path, ""),
    )


def reasons(found: SystemDevices, path: str = "/dev/sda") -> str:
    """Return every reason not to write to a device."""
    facts = found.facts(path)
    assert facts is not None
    return "; ".join(refusal.reason for refusal in refusals_to_write(facts))


def test_a_source_is_found_under_each_of_its_names() -> None:
    """Btrfs on LUKS is mounted from ``/dev/dm-0``, which lsblk calls otherwise."""
    found = system(Mount("0:40", "/dev/dm-0", "/data"))

    assert "/dev/mapper/x is mounted at /data" in reasons(found)


def test_a_loop_devices_file_is_found_on_a_file_system_of_no_number() -> None:
    """Its mount is asked for the device."""
    found = system(Mount("0:40", "/dev/dm-0", "/pool"), loop_on="/pool/file")

    assert found.by_path["/dev/loop0"].parents == ("/dev/mapper/x",)
    assert "/dev/loop0 stands on /dev/sda" in reasons(found)


def loops(
    *over: tuple[str, str],
    mounts: tuple[Mount, ...] = (),
    swap_files: dict[str, str] | None = None,
) -> SystemDevices:
    """Return a disk with a partition, and loop devices over files or devices.

    Args:
        over: Of each, the name by which it was attached, and its file's number.
    """
    numbers = {"/dev/sda": "8:0", "/dev/sda1": "8:1", "/dev/loop0": "7:0"}
    paths = [f"/dev/loop{number}" for number in range(len(over))]
    return assemble(
        Readings(
            devices=[
                DISK,
                BlockDevice("/dev/sda1", "8:1", "part", SIZE, ("/dev/sda",)),
                *(
                    BlockDevice(path, f"7:{number}", "loop", SIZE)
                    for number, path in enumerate(paths)
                ),
                BlockDevice("/dev/loop0p1", "259:0", "part", SIZE, ("/dev/loop0",)),
            ],
            loops=[
                LoopDevice(path, file, 0, 0, False, identity)
                for path, (file, identity) in zip(paths, over, strict=True)
            ],
            mounts=mounts,
            swap_files=swap_files or {},
        ),
        number_at=lambda path: numbers.get(path, ""),
        lies_on=lambda _: "",
    )


def test_what_another_loop_device_over_the_same_file_has_in_use_is_in_use() -> None:
    """The same by its number, or by its name; for a partition of it, too."""
    mounts = (Mount("7:1", "/dev/loop1", "/m"),)
    for over in (
        (("/a", "8:9 5"), ("/b (deleted)", "8:9 5")),
        (("/a", ""), ("/a", "")),
        (("/a", "0:40 5"), ("/a", "8:9 5")),
    ):
        found = loops(*over, mounts=mounts)
        said = "has bytes in common with /dev/loop1: /dev/loop1 is mounted at /m"

        assert reasons(found, "/dev/loop0") == f"/dev/loop0 {said}"
        assert reasons(found, "/dev/loop0p1") == f"/dev/loop0p1 {said}"
        facts = found.facts("/dev/loop0")
        assert facts is not None
        assert [each.way_out for each in refusals_to_read(facts)] == ["umount /m first"]


def test_a_partition_of_another_loop_device_over_the_same_file_is_named() -> None:
    """It is that which is mounted."""
    mounts = (Mount("259:0", "/dev/loop0p1", "/m"),)
    found = loops(("/a", "8:9 5"), ("/b", "8:9 5"), mounts=mounts)

    assert reasons(found, "/dev/loop1") == (
        "/dev/loop1 has bytes in common with /dev/loop0: /dev/loop0p1 is mounted at /m"
    )


def test_a_loop_device_is_in_nobodys_way_where_nothing_uses_another() -> None:
    """Nor where the other one is over another file."""
    mounts = (Mount("7:1", "/dev/loop1", "/m"),)

    idle = loops(("/a", "8:9 5"), ("/b", "8:9 5"))
    assert idle.twins("/dev/loop0") == ["/dev/loop1"]
    assert reasons(idle, "/dev/loop0") == ""
    for other in (("/b", "8:9 6"), ("/b", "8:10 5"), ("", "")):
        found = loops(("/a", "8:9 5"), other, mounts=mounts)
        assert reasons(found, "/dev/loop0") == ""


def test_a_loop_device_over_a_device_is_in_use_as_that_is() -> None:
    """By what is mounted of the device, and by the loop devices over all of it."""
    over_disk, over_part = ("/dev/sda", "0:6 1"), ("/dev/sda1", "0:6 2")
    part = (Mount("8:1", "/dev/sda1", "/m"),)
    loop = (Mount("7:1", "/dev/loop1", "/m"),)

    for device, mounts in ((over_disk, part), (over_part, part), (over_disk, loop)):
        found = loops(device, over_disk, mounts=mounts)
        assert "is mounted at /m" in reasons(found, "/dev/loop0")
        assert len({*reasons(found, "/dev/loop0").split("; ")}) == 1
    assert reasons(loops(over_part, over_disk, mounts=loop), "/dev/sda1") == (
        "/dev/sda1 has bytes in common with /dev/loop1: /dev/loop1 is mounted at /m; "
        "/dev/loop0 stands on /dev/sda1"
    )


def test_a_file_is_not_the_disk_that_holds_it() -> None:
    """That is in use for the file's sake, and its bytes are others."""
    mounts = (Mount("8:1", "/dev/sda1", "/m"), Mount("7:1", "/dev/loop1", "/n"))
    found = loops(("/m/a", "8:1 5"), ("/dev/sda", "0:6 1"), mounts=mounts)

    assert found.by_path["/dev/loop0"].parents == ("/dev/sda1",)
    assert reasons(found, "/dev/loop0") == ""


def test_a_loop_device_over_a_swap_file_is_swap_space() -> None:
    """By the file's number, whatever it is called."""
    found = loops(("/a", "8:9 5"), swap_files={"8:9 5": "/swap file"})

    assert reasons(found, "/dev/loop0") == (
        "/dev/loop0 has bytes in common with /swap file: /swap file is swap space in "
        "use"
    )


def test_a_loop_device_stands_on_the_device_of_a_file_without_a_name() -> None:
    """The kernel knows where it lies."""
    found = loops(("/gone (deleted)", "8:1 5"))

    assert found.by_path["/dev/loop0"].parents == ("/dev/sda1",)


def test_a_loop_device_stands_on_a_device_or_on_that_of_its_file() -> None:
    """It stands on nothing where its file cannot be found."""
    assert system(loop_on="/dev/sda").by_path["/dev/loop0"].parents == ("/dev/sda",)
    assert system(loop_on="/disk/file").by_path["/dev/loop0"].parents == ("/dev/sda",)
    assert system(loop_on="/elsewhere/file").by_path["/dev/loop0"].parents == ()
    assert system(loop_on="/x (deleted)").by_path["/dev/loop0"].parents == ()


def test_swap_space_is_found_under_each_of_its_names() -> None:
    """A swap file is no device."""
    assert system(busy="swap").swaps == {"/dev/mapper/x"}


def test_a_disk_of_a_mounted_file_system_on_several_is_held() -> None:
    """Also where the user may not open it, and no mount names it."""
    found = system(Mount("0:15", "/dev/root", "/"), busy="8:0")

    assert "/dev/sda is held" in reasons(found)


def test_lasting_names_and_arrivals_are_given_by_number() -> None:
    """A device without a lasting name has none, whatever else has none."""
    found = system()

    assert found.by_path["/dev/sda"].by_id == "/dev/disk/by-id/usb-x"
    assert found.by_path["/dev/sda"].sequence == 7
    assert found.by_path["/dev/loop0"].by_id == ""


def test_a_partition_does_not_hold_the_table_that_it_is_in() -> None:
    """Of a partition, lsblk tells the table of its disk."""
    table = SystemDevices(
        (
            BlockDevice("/dev/sda", "8:0", "disk", SIZE, table="gpt"),
            BlockDevice(
                "/dev/sda1", "8:1", "part", SIZE, ("/dev/sda",), content="ext4",
                table="gpt",
            ),
        )
    )  # fmt: skip
    disk, part = table.facts("/dev/sda"), table.facts("/dev/sda1")

    assert disk is not None
    assert part is not None
    assert (disk.signatures, part.signatures) == (("gpt",), ("ext4",))


def test_what_stands_on_two_parts_of_a_disk_is_named_once() -> None:
    """A RAID over both partitions of one disk gives each reason once."""
    parts = ("/dev/sda1", "/dev/sda2")
    found = SystemDevices(
        (
            DISK,
            *(BlockDevice(p, f"8:{p[-1]}", "part", SIZE, ("/dev/sda",)) for p in parts),
            BlockDevice("/dev/md0", "9:0", "raid1", SIZE, parts),
        ),
        (Mount("9:0", "/dev/md0", "/data"),),
    )

    assert reasons(found) == (
        "/dev/md0 is mounted at /data; /dev/md0 stands on /dev/sda"
    )


def test_a_member_of_something_unheard_of_is_refused() -> None:
    """Libblkid calls all of them members."""
    disk = BlockDevice("/dev/sda", "8:0", "disk", SIZE, content="new_raid_member")

    assert "a part of something larger (new_raid_member)" in reasons(
        SystemDevices((disk,))
    )


def test_loop_devices_over_other_bytes_of_one_file_are_in_nobodys_way() -> None:
    """As of partitions of an image, one of which is mounted."""
    mounts = (Mount("7:1", "/dev/loop1", "/m"),)
    for offset, refused in ((0, True), (SIZE - 1, True), (SIZE, False)):
        found = loops(("/a", "8:9 5"), ("/a", "8:9 5"), mounts=mounts)
        beside = replace(found.by_path["/dev/loop1"], offset=offset)
        devices = [beside if d.path == beside.path else d for d in found.devices]
        found = replace(found, devices=tuple(devices))

        assert bool(reasons(found, "/dev/loop0")) is refused


def test_deleted_files_of_one_name_are_not_one_file() -> None:
    """Their numbers tell them apart."""
    mounts = (Mount("7:1", "/dev/loop1", "/m"),)
    name = "/img (deleted)"

    assert not reasons(
        loops((name, "8:1 5"), (name, "8:1 6"), mounts=mounts), "/dev/loop0"
    )
    assert reasons(loops((name, "8:1 5"), (name, "8:1 5"), mounts=mounts), "/dev/loop0")


def test_a_device_that_has_gone_has_no_twins() -> None:
    """It can go between one look and the next."""
    assert not loops(("/a", "8:9 5")).twins("/dev/loop9")
