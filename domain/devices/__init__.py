"""Disks: their names, what was seen of them, and whether they may be used."""

from s3export.domain.devices.facts import DeviceFacts, DeviceKind, Run, describe
from s3export.domain.devices.names import (
    is_disk_name,
    partition_name,
    split_partition,
)
from s3export.domain.devices.safety import (
    ELSEWHERE,
    LARGEST_DISK_BYTES,
    SMALLEST_DISK_BYTES,
    SWAP,
    SYSTEM_MOUNT_POINTS,
    Refusal,
    cautions,
    refusals_to_read,
    refusals_to_write,
)

__all__ = [
    "ELSEWHERE",
    "LARGEST_DISK_BYTES",
    "SMALLEST_DISK_BYTES",
    "SWAP",
    "SYSTEM_MOUNT_POINTS",
    "DeviceFacts",
    "DeviceKind",
    "Refusal",
    "Run",
    "cautions",
    "describe",
    "is_disk_name",
    "partition_name",
    "refusals_to_read",
    "refusals_to_write",
    "split_partition",
]
