"""The rule that decides whether a device may be used: facts in, refusals out.

What is decided here is decided from facts alone, so that every layout of disks can be
a row in a test. The facts are gathered by an adapter. Every reason is given at once,
each with the way out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from s3export.domain.devices.facts import DeviceFacts, DeviceKind

SYSTEM_MOUNT_POINTS = frozenset(
    {"/", "/boot", "/boot/efi", "/boot/firmware", "/efi", "/usr", "/var", "/home"}
    | {"/root", "/snap", "/nix", "/opt", "/srv", "/etc"}
)
"""A disk mounted at one of these carries the running system."""

SWAP = "[SWAP]"
"""What ``lsblk`` gives as the mount point of swap space in use."""

ELSEWHERE = " in the mount namespace of "
"""Between the place and the process, where not we but others see a mount."""

SMALLEST_DISK_BYTES = 16 * 1024 * 1024
"""Below this no partition table and ext4 with a journal fit side by side."""

LARGEST_DISK_BYTES = 16 * 10**12
"""AWS Import/Export Developer Guide, limits: devices up to 16 TB."""

MEMBERS = {
    "LVM2_member": "an LVM volume group",
    "LVM1_member": "an LVM volume group",
    "linux_raid_member": "a RAID",
    "isw_raid_member": "a RAID (Intel)",
    "ddf_raid_member": "a RAID",
    "lsi_mega_raid_member": "a RAID (LSI)",
    "adaptec_raid_member": "a RAID (Adaptec)",
    "highpoint_raid_member": "a RAID (HighPoint)",
    "hpt37x_raid_member": "a RAID (HighPoint)",
    "hpt45x_raid_member": "a RAID (HighPoint)",
    "jmicron_raid_member": "a RAID (JMicron)",
    "nvidia_raid_member": "a RAID (NVIDIA)",
    "promise_fasttrack_raid_member": "a RAID (Promise)",
    "silicon_medley_raid_member": "a RAID (Silicon Image)",
    "via_raid_member": "a RAID (VIA)",
    "zfs_member": "a ZFS pool",
    "mpath_member": "a multipath device",
    "bcache": "a bcache set",
    "bcachefs": "a bcachefs file system",
    "stratis": "a Stratis pool",
    "DM_snapshot_cow": "a snapshot",
    "drbdproxy_datalog": "a DRBD resource",
    "drbd": "a DRBD resource",
    "VMFS_volume_member": "a VMFS volume",
    "ceph_bluestore": "a Ceph cluster",
}
"""Signatures by which a disk belongs to something larger, as libblkid names them."""


@dataclass(frozen=True)
class Refusal:
    """Why a device may not be used, and the way out.

    Attributes:
        final: Nothing makes this disk usable: the way out is another one.

    """

    reason: str
    way_out: str = ""
    final: bool = False

    def __str__(self) -> str:
        return f"{self.reason} ({self.way_out})" if self.way_out else self.reason


def refusals_to_write(
    facts: DeviceFacts, *, allow_fixed: bool = True, needed_bytes: int = 0
) -> tuple[Refusal, ...]:
    """Judge whether a device may be written to; no refusal means it may.

    A disk is refused whole when anything that stands on it is in use: a partition, a
    mapping, or a loop device attached to it, however far up.

    Args:
        allow_fixed: Take a disk that is built in, too.
        needed_bytes: What must fit on it; 0 where that is not known.

    """
    if facts.kind is DeviceKind.DIRECTORY:
        return (
            Refusal(
                f"{facts.path} is a directory, not a disk",
                "name the disk itself, such as /dev/sdb",
            ),
        )
    if facts.kind is DeviceKind.OTHER:
        return (
            Refusal(
                f"{facts.path} is neither a disk, a partition nor an image file",
                "name a disk, such as /dev/sdb",
            ),
        )
    return _each_once(
        *refusals_to_read(facts),
        *_stands_on(facts),
        *_member(facts),
        *_read_only(facts),
        *_wrong_size(facts, needed_bytes),
        *(() if allow_fixed else _fixed(facts)),
    )


def refusals_to_read(facts: DeviceFacts) -> tuple[Refusal, ...]:
    """Judge whether a device may be attached for reading.

    A file system that is mounted elsewhere changes under the reader: verifying it
    through the device would compare a moving target. The mounted directory itself
    can be verified.
    """
    if facts.kind is DeviceKind.DIRECTORY:
        return ()
    if facts.kind is DeviceKind.OTHER:
        return (
            Refusal(
                f"{facts.path} is neither a disk, a partition, an image file nor "
                "a directory",
                "name the disk, an image of it, or where it is mounted",
            ),
        )
    return _each_once(*_in_use(facts), *_in_use_under_another_name(facts))


def cautions(facts: DeviceFacts) -> tuple[str, ...]:
    """Return what to consider before a device that may be written to is erased."""
    told = []
    if facts.is_fixed:
        told.append(f"{facts.path} is built into this machine, no removable disk")
    found = [_content(part) for part in facts.tree() if part.signatures or part.label]
    if found:
        told.append(f"it holds {'; '.join(found)}: all of it will be lost")
    else:
        told.append(
            "nothing is recognised on it, which does not mean that it is empty: an "
            "encrypted disk looks like that"
        )
    return tuple(told)


def _each_once(*refusals: Refusal) -> tuple[Refusal, ...]:
    """Name what stands on two parts of a disk, such as a RAID, once."""
    return tuple(dict.fromkeys(refusals))


def _content(facts: DeviceFacts) -> str:
    what = ", ".join(facts.signatures) or "something"
    label = f" called {facts.label}" if facts.label else ""
    return f"{what}{label} on {facts.path}"


def _in_use(facts: DeviceFacts) -> Iterator[Refusal]:
    yield from _used_by_runs(facts)
    yield from _mounted(facts)
    yield from _held(facts)


def _in_use_under_another_name(facts: DeviceFacts) -> Iterator[Refusal]:
    for twin in facts.twins:
        for refusal in _in_use(twin):
            shared = f"{facts.path} has bytes in common with {twin.path}"
            yield replace(refusal, reason=f"{shared}: {refusal.reason}")


def _named(facts: DeviceFacts, part: DeviceFacts) -> str:
    """Name a part, and the file by whose other name it stands on this one."""
    other = part.location if part is not facts else ""
    return f"{part.path} (attached to {other})" if other else part.path


def _used_by_runs(facts: DeviceFacts) -> Iterator[Refusal]:
    """Name a run that goes on once, whatever it has of the device."""
    for part in facts.tree():
        if part.run is not None:
            yield Refusal(
                f"{facts.path} is in use by a run of s3export that goes on: {part.run}",
                part.run.way_out,
            )


def _mounted(facts: DeviceFacts) -> Iterator[Refusal]:
    for part in facts.tree():
        for place in part.mount_points:
            if place == SWAP:
                yield Refusal(
                    f"{part.path} is swap space in use", f"swapoff {part.path} first"
                )
            elif place in SYSTEM_MOUNT_POINTS:
                yield Refusal(
                    f"the running system stands on {part.path} (mounted at {place})",
                    "choose another disk",
                    final=True,
                )
            elif part.run is not None:
                continue  # to unmount it would pull it away from under that run
            elif ELSEWHERE in place:
                yield Refusal(
                    f"{_named(facts, part)} is mounted at {place}",
                    "end that process first",
                )
            else:
                yield Refusal(
                    f"{_named(facts, part)} is mounted at {place}",
                    f"umount {place} first",
                )


def _held(facts: DeviceFacts) -> Iterator[Refusal]:
    for part in facts.tree():
        if part.held and not any(
            above.mount_points or above.run for above in part.tree()
        ):
            yield Refusal(
                f"{part.path} is held by another process or by the kernel "
                "(a RAID, a volume group, a mapping, a partitioning tool)",
                "find out with: lsblk, fuser -v, dmsetup ls",
            )


def _stands_on(facts: DeviceFacts) -> Iterator[Refusal]:
    for below in facts.tree():
        for part in below.parts:
            if part.kind is DeviceKind.OTHER and not part.run:
                yield Refusal(
                    f"{_named(facts, part)} stands on {facts.path}",
                    f"release it first: {_releasing(part.path, below.signatures)}",
                )


_RELEASING = {
    "LVM2_member": "lvchange -an",
    "linux_raid_member": "mdadm --stop",
    "mpath_member": "multipath -f",
}


def _releasing(path: str, signatures: tuple[str, ...]) -> str:
    """Return the command that takes away what stands on something with signatures."""
    for signature in signatures:
        if signature in _RELEASING:
            return f"{_RELEASING[signature]} {path}"
    directory, _, name = path.rpartition("/")
    if name.startswith("loop"):
        return f"losetup -d {path}"
    if directory == "/dev/mapper":
        return f"cryptsetup close {name}"
    return f"lsblk {path} says what it is"


def _member(facts: DeviceFacts) -> Iterator[Refusal]:
    for part in facts.tree():
        for signature in part.signatures:
            larger = MEMBERS.get(signature)
            if larger is None and signature.endswith("_member"):
                larger = f"something larger ({signature})"
            if larger is not None:
                yield Refusal(
                    f"{part.path} is a part of {larger}, whose data may lie on other "
                    "disks, too",
                    f"if it is not needed any more: wipefs --all {part.path}",
                )


def _read_only(facts: DeviceFacts) -> Iterator[Refusal]:
    if facts.read_only:
        yield Refusal(f"{facts.path} is read-only", "check the disk's write switch")


def _fixed(facts: DeviceFacts) -> Iterator[Refusal]:
    if facts.is_fixed:
        yield Refusal(
            f"{facts.path} is built into this machine, no removable disk",
            "if it is meant: --allow-fixed-disk",
        )


def _wrong_size(facts: DeviceFacts, needed_bytes: int) -> Iterator[Refusal]:
    if facts.size_bytes < SMALLEST_DISK_BYTES:
        yield Refusal(
            f"{facts.path} holds {facts.size_bytes:,} bytes, too few for a backup "
            f"(at least {SMALLEST_DISK_BYTES:,})",
            "choose a larger disk",
            final=True,
        )
    elif facts.size_bytes < needed_bytes:
        yield Refusal(
            f"{facts.path} holds {facts.size_bytes:,} bytes, and {needed_bytes:,} are "
            "needed",
            "choose a larger disk, or several; where each begins says: s3export "
            f"check-manifest MANIFEST --online --disk-size {facts.size_bytes}",
        )
    if facts.size_bytes > LARGEST_DISK_BYTES:
        yield Refusal(
            f"{facts.path} holds {facts.size_bytes:,} bytes; AWS takes disks up to "
            f"{LARGEST_DISK_BYTES:,} bytes",
            "choose a smaller disk",
            final=True,
        )
