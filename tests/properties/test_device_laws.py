"""Laws of device names and of the rule that protects disks."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import disk_facts
from strategies import SETTINGS

from s3export.domain.devices import (
    DeviceFacts,
    DeviceKind,
    is_disk_name,
    partition_name,
    refusals_to_read,
    refusals_to_write,
    split_partition,
)

disks = st.one_of(
    st.from_regex(r"(sd|hd|vd|xvd)[a-z]{1,2}", fullmatch=True),
    st.from_regex(r"(nvme[0-9]n[1-9]|mmcblk[0-9]|loop[0-9]{1,2})", fullmatch=True),
)


@given(disks, st.integers(1, 128))
@SETTINGS
def test_a_partitions_name_is_split_where_it_was_joined(disk: str, n: int) -> None:
    """Also where the disk's own name ends in a digit."""
    assert split_partition(partition_name(disk, n)) == (disk, n)
    assert split_partition(disk) == (disk, None)
    assert is_disk_name(disk)


@pytest.mark.parametrize(
    ("name", "disk", "number"),
    [
        ("sdb1", "sdb", 1),
        ("sdaa12", "sdaa", 12),
        ("nvme0n1p1", "nvme0n1", 1),
        ("nvme0n1", "nvme0n1", None),
        ("mmcblk0p1", "mmcblk0", 1),
        ("mmcblk0", "mmcblk0", None),
        ("loop0p1", "loop0", 1),
        ("loop10", "loop10", None),
        ("dm-3", "dm-3", None),
    ],
)
def test_names_as_the_kernel_gives_them(
    name: str, disk: str, number: int | None
) -> None:
    """The original program took ``nvme0n1`` for a partition."""
    assert split_partition(name) == (disk, number)


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> DeviceFacts:
    """A disk with things standing on it, some of them mounted."""
    parts = draw(st.lists(trees(depth - 1), max_size=2)) if depth else []
    return DeviceFacts(
        path=draw(st.sampled_from(["/dev/sda", "/dev/sda1", "/dev/dm-0"])),
        kind=draw(st.sampled_from(DeviceKind)),
        size_bytes=draw(st.sampled_from([0, 1 << 30, 1 << 50])),
        mount_points=draw(
            st.sampled_from([(), (), ("/",), ("/mnt",), ("[SWAP]",), ("/boot",)])
        ),
        held=draw(st.booleans()),
        read_only=draw(st.booleans()),
        parts=tuple(parts),
    )


@given(trees())
@SETTINGS
def test_what_is_in_use_is_never_accepted_for_writing(facts: DeviceFacts) -> None:
    """No disk with anything mounted or held on it, however deep, may be erased."""
    in_use = any(part.mount_points or part.held for part in facts.tree())

    if in_use or facts.kind in (DeviceKind.DIRECTORY, DeviceKind.OTHER):
        assert refusals_to_write(facts)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mount_points": ("/",)}, "the running system stands on"),
        ({"mount_points": ("/mnt",)}, "is mounted at /mnt"),
        ({"mount_points": ("[SWAP]",)}, "is swap space in use"),
        ({"held": True}, "is held"),
        ({"read_only": True}, "is read-only"),
        ({"size_bytes": 1 << 20}, "too few"),
        ({"size_bytes": 17 * 10**12}, "AWS takes disks up to"),
        ({"kind": DeviceKind.DIRECTORY}, "is a directory"),
        ({"kind": DeviceKind.OTHER}, "neither a disk"),
    ],
)
def test_each_reason_is_named(change: dict[str, object], reason: str) -> None:
    """A disk that may be written to is refused for this one fact."""
    good = disk_facts()
    bad = replace(good, **change)  # type: ignore[arg-type]
    below = replace(good, parts=(replace(bad, path="/dev/sdz1"),))

    assert refusals_to_write(good) == ()
    assert reason in "; ".join(r.reason for r in refusals_to_write(bad))
    if "mount_points" in change or "held" in change:
        assert reason in "; ".join(r.reason for r in refusals_to_write(below))
        assert refusals_to_read(below)
