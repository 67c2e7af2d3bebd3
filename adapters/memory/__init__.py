"""Every port in memory: for embedders' own tests, and for ours.

They hold to the same contracts as the real adapters, and can be told to fail.
"""

from s3export.adapters.memory.block_devices import MemoryBlockDevices, MemoryDisk
from s3export.adapters.memory.containers import FixedKeys, MemoryContainers
from s3export.adapters.memory.export_service import MemoryExportService
from s3export.adapters.memory.file_tree import MemoryFileTree, MemoryWritableTree
from s3export.adapters.memory.machine import MemoryAwsAccess, MemoryMachine
from s3export.adapters.memory.manifests import MemoryManifests
from s3export.adapters.memory.object_store import MemoryObjectStore
from s3export.adapters.memory.surroundings import (
    FixedClock,
    FixedRandomness,
    InlineWorkers,
    MemoryReports,
    MemoryScratch,
    RecordedProgress,
    SilentProgress,
)

__all__ = [
    "FixedClock",
    "FixedKeys",
    "FixedRandomness",
    "InlineWorkers",
    "MemoryAwsAccess",
    "MemoryBlockDevices",
    "MemoryContainers",
    "MemoryDisk",
    "MemoryExportService",
    "MemoryFileTree",
    "MemoryMachine",
    "MemoryManifests",
    "MemoryObjectStore",
    "MemoryReports",
    "MemoryScratch",
    "MemoryWritableTree",
    "RecordedProgress",
    "SilentProgress",
]
