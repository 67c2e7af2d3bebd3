"""The rule over layouts of real machines: which disk may be erased, and why not."""

import pytest
from layouts import NAMES, layout

from s3export.domain.devices import cautions, refusals_to_write

SYSTEM = "the running system stands on"

REFUSED = {
    ("laptop-luks-lvm", "/dev/nvme0n1"): [
        f"{SYSTEM} /dev/mapper/vg-root (mounted at /)",
        f"{SYSTEM} /dev/nvme0n1p2 (mounted at /boot)",
        "/dev/mapper/vg-swap_1 is swap space in use",
        "/dev/nvme0n1p3 is held",
    ],
    ("laptop-luks-lvm", "/dev/nvme0n1p1"): ["(mounted at /boot/efi)"],
    ("laptop-luks-lvm", "/dev/nvme0n1p3"): ["(mounted at /)", "LVM volume group"],
    ("laptop-luks-lvm", "/dev/mapper/vg-root"): ["(mounted at /)"],
    ("server-raid", "/dev/sda"): [f"{SYSTEM} /dev/md0", "is swap", "a part of a RAID"],
    ("server-raid", "/dev/sdb"): [f"{SYSTEM} /dev/md0", "is swap"],
    ("server-raid", "/dev/sdb1"): [f"{SYSTEM} /dev/md0"],
    ("server-raid", "/dev/sdc"): ["/dev/sdc is a part of a RAID"],
    ("multipath", "/dev/sda"): [f"{SYSTEM} /dev/mapper/mpatha-part1", "multipath"],
    ("multipath", "/dev/sdb"): [f"{SYSTEM} /dev/mapper/mpatha-part1"],
    ("multipath", "/dev/mapper/mpatha"): [SYSTEM],
    ("two-nvme", "/dev/nvme0n1"): [f"{SYSTEM} /dev/nvme0n1p1"],
    ("emmc-and-card", "/dev/mmcblk0"): [f"{SYSTEM} /dev/mmcblk0p2", "/boot/firmware"],
    ("emmc-and-card", "/dev/mmcblk0boot0"): ["is read-only", "too few"],
    ("zfs", "/dev/sda"): ["/dev/sda1 is held", "a part of a ZFS pool"],
    ("zfs", "/dev/sdb"): ["/dev/sdb1 is a part of a ZFS pool"],
    ("bcache", "/dev/sda"): ["(mounted at /srv)", "a bcache set"],
    ("bcache", "/dev/nvme0n1"): ["(mounted at /srv)"],
    ("btrfs-two-disks", "/dev/sda"): ["/dev/sda is mounted at /data"],
    ("btrfs-two-disks", "/dev/sdb"): ["/dev/sdb is held"],
    ("loop-on-usb", "/dev/sdb"): [
        "/dev/sdb1 is mounted at /media/usb",
        "/dev/loop0 is mounted at /mnt/image",
        "/dev/loop0 stands on /dev/sdb",
    ],
    ("loop-on-usb", "/dev/loop0"): ["is mounted at /mnt/image"],
    ("mounted-in-a-container", "/dev/sdb"): [
        "/dev/sdb1 is mounted at /data in the mount namespace of process 812"
    ],
    ("recorded-luks-lvm-raid", "/dev/loop0"): [
        "/dev/md0 is mounted at /run/m1",
        "/dev/loop0 is held",
        "/dev/md0 stands on /dev/loop0",
        "a part of a RAID",
    ],
    ("recorded-luks-lvm-raid", "/dev/loop1"): ["/dev/md0 is mounted at /run/m1"],
    ("recorded-luks-lvm-raid", "/dev/loop2"): [
        "/dev/mapper/vg-root is mounted at /run/m2",
        "/dev/mapper/vg-swap_1 is swap space in use",
        "/dev/mapper/crypt is held",
        "/dev/mapper/crypt is a part of an LVM volume group",
    ],
    ("virtual-machine", "/dev/vda"): [f"{SYSTEM} /dev/vda1"],
    ("virtual-machine", "/dev/sr0"): ["neither a disk"],
}
ACCEPTED = {
    ("laptop-luks-lvm", "/dev/sda"): "575832314434373839303132",
    ("laptop-luks-lvm", "/dev/sda1"): "575832314434373839303132",
    ("two-nvme", "/dev/nvme1n1"): "183312800042",
    ("emmc-and-card", "/dev/sda"): "000000001206",
    ("virtual-machine", "/dev/vdb"): "/dev/vdb",
    ("names-from-hell", "/dev/sdb"): "\aA\u2066B\nC",
}
FIXED = {("two-nvme", "/dev/nvme1n1"), ("virtual-machine", "/dev/vdb")}


@pytest.mark.parametrize(("place", "reasons"), REFUSED.items(), ids=str)
def test_what_is_in_use_is_refused_with_every_reason(
    place: tuple[str, str], reasons: list[str]
) -> None:
    """Each reason that an operator could check is named."""
    facts = layout(place[0]).facts(place[1])

    assert facts is not None
    told = "; ".join(refusal.reason for refusal in refusals_to_write(facts))
    for reason in reasons:
        assert reason in told


@pytest.mark.parametrize(("place", "name"), ACCEPTED.items(), ids=str)
def test_what_is_free_may_be_chosen_by_its_serial(
    place: tuple[str, str], name: str
) -> None:
    """A partition by its disk's; one without a serial by its path."""
    facts = layout(place[0]).facts(place[1])

    assert facts is not None
    assert refusals_to_write(facts) == ()
    assert facts.name_to_confirm == name
    assert facts.is_fixed is (place in FIXED)
    assert bool(refusals_to_write(facts, allow_fixed=False)) is (place in FIXED)


@pytest.mark.parametrize("name", NAMES)
def test_every_disk_of_every_layout_is_judged(name: str) -> None:
    """None is forgotten in the tables above."""
    known = {path for layout_name, path in (*REFUSED, *ACCEPTED) if layout_name == name}

    for disk in layout(name).disks():
        assert disk.path in known or disk.path in (
            "/dev/mmcblk0boot1",
            "/dev/bcache0",
        )


def test_what_will_be_lost_is_told() -> None:
    """File systems with their labels; of an empty-looking disk that it may not be."""
    system = layout("laptop-luks-lvm")
    facts = system.facts("/dev/sda")
    assert facts is not None
    assert facts.by_id.startswith("/dev/disk/by-id/usb-WD")
    (lost,) = cautions(facts)
    assert "gpt on /dev/sda; ext4, gpt called photos on /dev/sda1" in lost

    empty = layout("two-nvme").facts("/dev/nvme1n1")
    assert empty is not None
    fixed, unknown = cautions(empty)
    assert "built into this machine" in fixed
    assert "does not mean that it is empty" in unknown


def test_a_machine_without_disks_has_none() -> None:
    """Nothing to choose, and nothing breaks."""
    assert layout("no-disk").disks() == []
    assert layout("no-disk").facts("/dev/sda") is None
