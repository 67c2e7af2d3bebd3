"""Disks: their names, what was seen of them, and whether they may be used."""

from s3export.domain.devices.facts import DeviceFacts, DeviceKind, describe
from s3export.domain.devices.names import (
    is_disk_name,
    partition_name,
    split_partition,
)
from s3export.domain.devices.safety import (
    LARGEST_DISK_BYTES,
    SMALLEST_DISK_BYTES,
    SWAP,
    Refusal,
    cautions,
    refusals_to_read,
    refusals_to_write,
)

__all__ = [
    "LARGEST_DISK_BYTES",
    "SMALLEST_DISK_BYTES",
    "SWAP",
    "DeviceFacts",
    "DeviceKind",
    "Refusal",
    "cautions",
    "describe",
    "is_disk_name",
    "partition_name",
    "refusals_to_read",
    "refusals_to_write",
    "split_partition",
]
