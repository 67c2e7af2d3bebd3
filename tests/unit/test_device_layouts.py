"""Machines as they were found: which of their disks may be erased, and why not."""

from dataclasses import dataclass

import pytest
from layouts import NAMES, machine

from s3export.domain.devices import (
    DeviceFacts,
    DeviceKind,
    cautions,
    refusals_to_read,
    refusals_to_write,
)


@dataclass(frozen=True)
class Row:
    """A device of a machine.

    Attributes:
        kind: Whether it is removable, virtual or fixed.
        reasons: A piece of each reason not to write to it, in order; none if it may.
        confirm: What is typed to confirm; its path where nothing is said.
        listed: Whether it is among the disks to choose from.
    """

    machine: str
    path: str
    kind: str
    reasons: tuple[str, ...] = ()
    confirm: str = ""
    listed: bool = False


def disk(machine: str, path: str, kind: str, *reasons: str, confirm: str = "") -> Row:
    """Return a device that is listed."""
    return Row(machine, path, kind, reasons, confirm, listed=True)


def part(machine: str, path: str, kind: str, *reasons: str, confirm: str = "") -> Row:
    """Return a device that stands on others, or takes no disk's place."""
    return Row(machine, path, kind, reasons, confirm)


LAPTOP_ROOT = "system stands on /dev/mapper/laptop--vg-root (mounted at /)"
LAPTOP_SWAP = "/dev/mapper/laptop--vg-swap_1 is swap space in use"
LAPTOP_STACK = (
    "/dev/mapper/laptop--vg-swap_1 stands on",
    "/dev/mapper/laptop--vg-root stands on",
)
PV_OF_LAPTOP = "/dev/mapper/ubda3_crypt is a part of an LVM volume group"
RAID_ROOT = "system stands on /dev/md0 (mounted at /)"
RAID_SWAP = "/dev/mapper/vg0-swap is swap space in use"
PV_OF_SERVER = "/dev/md1 is a part of an LVM volume group"
BCACHE = ("/dev/bcache0 stands on", "is a part of a bcache set")
TOO_FEW = "too few for a backup"
NVME = "S3TNNX0K123456"
SATA = "S3Z1NB0K123456A"
PASSPORT = "WX12D30A1B2C"
STICK = "4C530001270101123456"
EMMC = "0xc8972379"
SSD = "PHYF001234AB480BGN"

ROWS = (
    disk(
        "laptop",
        "/dev/ubda",
        "fixed",
        "system stands on /dev/ubda2 (mounted at /boot)",
        LAPTOP_SWAP,
        LAPTOP_ROOT,
        "/dev/mapper/ubda3_crypt stands on /dev/ubda",
        *LAPTOP_STACK,
        PV_OF_LAPTOP,
    ),
    part("laptop", "/dev/ubda1", "fixed"),
    part("laptop", "/dev/ubda2", "fixed", "/dev/ubda2 (mounted at /boot)"),
    part(
        "laptop",
        "/dev/ubda3",
        "fixed",
        LAPTOP_SWAP,
        LAPTOP_ROOT,
        "/dev/mapper/ubda3_crypt stands on /dev/ubda3",
        *LAPTOP_STACK,
        PV_OF_LAPTOP,
    ),
    part(
        "laptop",
        "/dev/mapper/ubda3_crypt",
        "fixed",
        LAPTOP_SWAP,
        LAPTOP_ROOT,
        *LAPTOP_STACK,
        PV_OF_LAPTOP,
    ),
    part("laptop", "/dev/mapper/laptop--vg-swap_1", "fixed", LAPTOP_SWAP),
    part("laptop", "/dev/mapper/laptop--vg-root", "fixed", LAPTOP_ROOT),
    disk("laptop", "/dev/ubdb", "fixed"),
    *(
        row
        for letter in "ab"
        for row in (
            disk(
                "server-raid",
                f"/dev/ubd{letter}",
                "fixed",
                RAID_ROOT,
                RAID_SWAP,
                f"/dev/md0 stands on /dev/ubd{letter}",
                f"/dev/md1 stands on /dev/ubd{letter}",
                f"/dev/mapper/vg0-swap stands on /dev/ubd{letter}",
                f"/dev/ubd{letter}1 is a part of a RAID",
                f"/dev/ubd{letter}2 is a part of a RAID",
                PV_OF_SERVER,
            ),
            part(
                "server-raid",
                f"/dev/ubd{letter}1",
                "fixed",
                RAID_ROOT,
                "/dev/md0 stands on",
                "is a part of a RAID",
            ),
            part(
                "server-raid",
                f"/dev/ubd{letter}2",
                "fixed",
                RAID_SWAP,
                "/dev/md1 stands on",
                "/dev/mapper/vg0-swap stands on",
                "is a part of a RAID",
                PV_OF_SERVER,
            ),
        )
    ),
    part("server-raid", "/dev/md0", "fixed", RAID_ROOT),
    part(
        "server-raid",
        "/dev/md1",
        "fixed",
        RAID_SWAP,
        "/dev/mapper/vg0-swap stands on",
        PV_OF_SERVER,
    ),
    part("server-raid", "/dev/mapper/vg0-swap", "fixed", RAID_SWAP),
    disk("multipath", "/dev/ubda", "fixed", "mounted at /)"),
    disk("multipath", "/dev/ubdb", "fixed", "at /srv", "mpatha stands on /dev/ubdb"),
    disk("multipath", "/dev/ubdc", "fixed", "at /srv", "mpatha stands on /dev/ubdc"),
    part("multipath", "/dev/mapper/mpatha", "fixed", "mounted at /srv"),
    disk("bcache", "/dev/ubda", "fixed", "bcache0 is mounted at /data", *BCACHE),
    disk("bcache", "/dev/ubdb", "fixed", "bcache0 is mounted at /data", *BCACHE),
    part("bcache", "/dev/bcache0", "fixed", "bcache0 is mounted at /data"),
    disk("bcache", "/dev/ubdc", "fixed", "mounted at /)"),
    disk("bcache-idle", "/dev/ubda", "fixed", "/dev/ubda is held", *BCACHE),
    disk("bcache-idle", "/dev/ubdb", "fixed", "/dev/ubdb is held", *BCACHE),
    part("bcache-idle", "/dev/bcache0", "fixed"),
    disk("bcache-idle", "/dev/ubdc", "fixed", "mounted at /)"),
    disk("btrfs", "/dev/ubda", "fixed", "/dev/ubda is mounted at /data"),
    disk("btrfs", "/dev/ubdb", "fixed", "/dev/ubdb is held"),
    disk("btrfs", "/dev/ubdc", "fixed", "mounted at /)"),
    disk("loop-on-usb", "/dev/ubda", "fixed", "mounted at /)"),
    disk(
        "loop-on-usb",
        "/dev/ubdb",
        "fixed",
        "/dev/ubdb1 is mounted at /media/stick",
        "/dev/loop0 is mounted at /mnt/inner dir",
        "/dev/loop0 stands on /dev/ubdb",
    ),
    part(
        "loop-on-usb",
        "/dev/ubdb1",
        "fixed",
        "/dev/ubdb1 is mounted at /media/stick",
        "/dev/loop0 is mounted at /mnt/inner dir",
        "/dev/loop0 stands on /dev/ubdb1",
    ),
    disk("loop-on-usb", "/dev/loop0", "virtual", "is mounted at /mnt/inner dir"),
    disk(
        "other-namespace",
        "/dev/ubda",
        "fixed",
        "mounted at /)",
        "mounted at / in the mount namespace of process 812 (backupd)",
    ),
    disk(
        "other-namespace",
        "/dev/ubdb",
        "fixed",
        "mounted at /mnt/backup in the mount namespace of process 812 (backupd)",
    ),
    disk("hostile-names", "/dev/ubda", "fixed", "mounted at /)"),
    disk("hostile-names", "/dev/ubdb", "fixed", confirm="usb-Nice_SSD_AB12-0:0"),
    disk("virtio-server", "/dev/vda", "fixed", "mounted at /)"),
    part("virtio-server", "/dev/zram0", "fixed", TOO_FEW),
    disk(
        "nvme",
        "/dev/nvme0n1",
        "fixed",
        "nvme0n1p1 (mounted at /boot/efi)",
        "nvme0n1p2 (mounted at /)",
        "/dev/nvme0n1p3 is swap space in use",
        confirm=NVME,
    ),
    part("nvme", "/dev/nvme0n1p1", "fixed", "mounted at /boot/efi", confirm=NVME),
    part("nvme", "/dev/nvme0n1p2", "fixed", "mounted at /)", confirm=NVME),
    part("nvme", "/dev/nvme0n1p3", "fixed", "is swap space", confirm=NVME),
    disk("nvme", "/dev/nvme1n1", "fixed", confirm="2047E4801234"),
    disk(
        "usb-beside-internal",
        "/dev/sda",
        "fixed",
        "/dev/sda1 (mounted at /boot/efi)",
        "/dev/sda2 (mounted at /)",
        confirm=SATA,
    ),
    part("usb-beside-internal", "/dev/sda1", "fixed", "at /boot/efi", confirm=SATA),
    part("usb-beside-internal", "/dev/sda2", "fixed", "mounted at /)", confirm=SATA),
    disk("usb-beside-internal", "/dev/sdb", "removable", confirm=PASSPORT),
    part("usb-beside-internal", "/dev/sdb1", "removable", confirm=PASSPORT),
    disk(
        "usb-beside-internal",
        "/dev/sdc",
        "removable",
        "/dev/sdc1 is mounted at /media/operator/TEMP",
        confirm=STICK,
    ),
    part(
        "usb-beside-internal",
        "/dev/sdc1",
        "removable",
        "/dev/sdc1 is mounted at /media/operator/TEMP",
        confirm=STICK,
    ),
    part(
        "usb-beside-internal",
        "/dev/sr0",
        "removable",
        "neither a disk, a partition nor an image",
        confirm="KLXH5L12345",
    ),
    disk("emmc-and-cards", "/dev/sda", "removable", confirm="000000000821"),
    part("emmc-and-cards", "/dev/sda1", "removable", confirm="000000000821"),
    disk(
        "emmc-and-cards",
        "/dev/mmcblk0",
        "fixed",
        "mmcblk0p1 (mounted at /boot/firmware)",
        "mmcblk0p2 (mounted at /)",
        confirm=EMMC,
    ),
    part("emmc-and-cards", "/dev/mmcblk0p1", "fixed", "at /boot/firm", confirm=EMMC),
    part("emmc-and-cards", "/dev/mmcblk0p2", "fixed", "mounted at /)", confirm=EMMC),
    disk(
        "emmc-and-cards",
        "/dev/mmcblk0boot0",
        "fixed",
        "is read-only",
        TOO_FEW,
        confirm=EMMC,
    ),
    disk(
        "emmc-and-cards",
        "/dev/mmcblk0boot1",
        "fixed",
        "is read-only",
        TOO_FEW,
        confirm=EMMC,
    ),
    disk("emmc-and-cards", "/dev/mmcblk1", "removable", confirm="0x2d5a1f7b"),
    disk("emmc-and-cards", "/dev/mmcblk2", "fixed", confirm="0x9c0213aa"),
    disk(
        "emmc-and-cards",
        "/dev/mmcblk2boot0",
        "fixed",
        "is read-only",
        confirm="0x9c0213aa",
    ),
    disk(
        "zfs",
        "/dev/sda",
        "fixed",
        "/dev/sda1 (mounted at /boot/efi)",
        "/dev/sda2 is held",
        "/dev/sda3 is held",
        "/dev/sda2 is a part of a ZFS pool",
        "/dev/sda3 is a part of a ZFS pool",
        confirm=SSD,
    ),
    part("zfs", "/dev/sda1", "fixed", "at /boot/efi", confirm=SSD),
    part("zfs", "/dev/sda2", "fixed", "is held", "a ZFS pool", confirm=SSD),
    part("zfs", "/dev/sda3", "fixed", "is held", "a ZFS pool", confirm=SSD),
    disk("zfs", "/dev/sdb", "fixed", "/dev/sdb1 is a part of a", confirm="WSD0ABCD"),
    part("zfs", "/dev/sdb1", "fixed", "a ZFS pool", confirm="WSD0ABCD"),
    part("zfs", "/dev/sdb9", "fixed", TOO_FEW, confirm="WSD0ABCD"),
    disk("zfs", "/dev/zd0", "fixed"),
    disk(
        "iscsi-server",
        "/dev/vda",
        "fixed",
        "/dev/vda1 (mounted at /)",
        "/dev/vda15 (mounted at /boot/efi)",
    ),
    part("iscsi-server", "/dev/vda1", "fixed", "mounted at /)"),
    part("iscsi-server", "/dev/vda15", "fixed", "mounted at /boot/efi"),
    disk("iscsi-server", "/dev/sda", "fixed", "mounted at /srv"),
    disk("iscsi-server", "/dev/sdb", "fixed"),
)


def facts_of(row: Row, *, root: bool = True) -> DeviceFacts:
    """Return what is seen of a device."""
    found = machine(row.machine, root=root).facts(row.path)
    assert found is not None
    return found


each_row = pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: f"{row.machine}:{row.path}"
)


def test_every_device_has_a_row() -> None:
    """Nothing in the recorded facts goes unjudged."""
    recorded = {(name, d.path) for name in NAMES for d in machine(name).devices}

    assert {(row.machine, row.path) for row in ROWS} == recorded
    assert len(ROWS) == len(recorded)
    assert machine("no-disk").disks() == []


@each_row
def test_what_may_be_written_to_and_why_not(row: Row) -> None:
    """Each reason is given, in this order, and no other one."""
    reasons = [refusal.reason for refusal in refusals_to_write(facts_of(row))]

    for reason, expected in zip(reasons, row.reasons, strict=True):
        assert expected in reason


@each_row
def test_a_disk_in_use_is_refused_to_a_user_who_may_not_open_it(row: Row) -> None:
    """What root is refused for being in use, nobody else is offered."""
    told = refusals_to_write(facts_of(row, root=False))

    assert bool(told) == bool(row.reasons)


@each_row
def test_hardware_is_told_from_what_can_be_unplugged(row: Row) -> None:
    """A partition and a mapping are what their disk is."""
    facts = facts_of(row)

    assert (facts.removable, facts.virtual, facts.is_fixed) == (
        row.kind == "removable",
        row.kind == "virtual",
        row.kind == "fixed",
    )
    built_in = [told for told in cautions(facts) if "built into this machine" in told]
    assert len(built_in) == (row.kind == "fixed")
    fixed = [
        r for r in refusals_to_write(facts, allow_fixed=False) if "built" in str(r)
    ]
    assert len(fixed) == (row.kind == "fixed")


@each_row
def test_what_is_typed_to_confirm_is_the_disks_own(row: Row) -> None:
    """A partition has its disk's serial; what no keyboard has is not asked for."""
    assert facts_of(row).name_to_confirm == (row.confirm or row.path)


@each_row
def test_disks_are_listed_and_what_stands_on_them_is_not(row: Row) -> None:
    """A bcache device, which lsblk calls a disk, is none to choose."""
    listed = [device.path for device in machine(row.machine).disks()]

    assert (row.path in listed) == row.listed


@pytest.mark.parametrize(
    ("name", "path", "told"),
    [
        ("laptop", "/dev/ubdb", "it holds ext4 called old backup on /dev/ubdb"),
        ("usb-beside-internal", "/dev/sdb", "ext4 called Old Backups on /dev/sdb1"),
        ("emmc-and-cards", "/dev/sda", "vfat called CAMERA on /dev/sda1"),
        ("nvme", "/dev/nvme1n1", "does not mean that it is empty"),
        (
            "server-raid",
            "/dev/ubda",
            "LVM2_member on /dev/md1; swap on /dev/mapper/vg0",
        ),
    ],
)
def test_what_will_be_lost_is_named(name: str, path: str, told: str) -> None:
    """Every file system is in the cautions, with its label."""
    facts = machine(name).facts(path)

    assert facts is not None
    assert told in "; ".join(cautions(facts))


@pytest.mark.parametrize(
    ("signature", "path", "command"),
    [
        ("LVM2_member", "/dev/mapper/vg-root", "lvchange -an /dev/mapper/vg-root"),
        ("linux_raid_member", "/dev/md0", "mdadm --stop /dev/md0"),
        ("mpath_member", "/dev/mapper/mpatha", "multipath -f /dev/mapper/mpatha"),
        ("crypto_LUKS", "/dev/mapper/secret", "cryptsetup close secret"),
        ("", "/dev/mapper/secret", "cryptsetup close secret"),
        ("", "/dev/loop3", "losetup -d /dev/loop3"),
        ("bcache", "/dev/bcache0", "lsblk /dev/bcache0 says what it is"),
    ],
)
def test_what_stands_on_a_disk_is_released_by_a_command_that_names_it(
    signature: str, path: str, command: str
) -> None:
    """As it is told, by what it stands on and how it is called."""
    upper = DeviceFacts(path, DeviceKind.OTHER)
    facts = DeviceFacts(
        "/dev/sdz",
        DeviceKind.DISK,
        size_bytes=1 << 30,
        removable=True,
        signatures=(signature,) if signature else (),
        parts=(upper,),
    )

    told = {str(r.reason): r.way_out for r in refusals_to_write(facts)}

    assert told[f"{path} stands on /dev/sdz"] == f"release it first: {command}"


def test_a_mount_elsewhere_is_left_by_ending_its_process() -> None:
    """An umount here would not reach it."""
    facts = machine("other-namespace").facts("/dev/ubdb")

    assert facts is not None
    (refusal,) = refusals_to_write(facts)
    assert refusal.way_out == "end that process first"


@each_row
def test_what_is_mounted_is_not_read_through_the_device_either(row: Row) -> None:
    """Being in use is a reason against both."""
    facts = facts_of(row)
    to_read = refusals_to_read(facts)

    assert set(to_read) <= set(refusals_to_write(facts)) or row.path == "/dev/sr0"
    assert any("mounted at" in reason for reason in row.reasons) <= bool(to_read)
