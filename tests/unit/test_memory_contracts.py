"""Every adapter in memory holds to the contract of its port."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from contracts.block_devices_contract import BlockDevicesContract
from contracts.clock_contract import ClockContract
from contracts.containers_contract import (
    ContainersContract,
    DeviceContainersContract,
)
from contracts.export_service_contract import ExportServiceContract
from contracts.file_tree_contract import (
    FILES,
    FileTreeContract,
    WritableTreeContract,
)
from contracts.object_store_contract import BUCKET, ObjectStoreContract
from contracts.report_writer_contract import ReportWriterContract
from contracts.scratch_contract import ScratchContract
from contracts.workers_contract import WorkersContract
from samples import DISK, disk_facts

from s3export.adapters.clock import SystemClock
from s3export.adapters.memory import (
    FixedClock,
    InlineWorkers,
    MemoryBlockDevices,
    MemoryContainers,
    MemoryDisk,
    MemoryExportService,
    MemoryFileTree,
    MemoryObjectStore,
    MemoryReports,
    MemoryScratch,
    MemoryWritableTree,
)
from s3export.adapters.workers import ThreadWorkers
from s3export.domain.devices import DeviceFacts
from s3export.domain.ports import Clock, Scratch, Workers


@dataclass
class Store:
    store: MemoryObjectStore = field(default_factory=lambda: MemoryObjectStore(BUCKET))

    def put(self, key: str, body: bytes, part_sizes: Sequence[int] = ()) -> None:
        self.store.put(BUCKET, key, body, part_sizes=part_sizes)


class TestMemoryObjectStore(ObjectStoreContract):
    @pytest.fixture
    def arranged(self) -> Store:
        return Store()


@dataclass
class Service:
    service: MemoryExportService = field(default_factory=MemoryExportService)


class TestMemoryExportService(ExportServiceContract):
    @pytest.fixture
    def arranged(self) -> Service:
        return Service()


@dataclass
class Tree:
    tree: MemoryFileTree


class TestMemoryFileTree(FileTreeContract):
    @pytest.fixture
    def arranged(self) -> Tree:
        return Tree(MemoryFileTree(FILES, links=[b"a/link"]))


@dataclass
class Writable:
    tree: MemoryWritableTree


class TestMemoryWritableTree(WritableTreeContract):
    @pytest.fixture
    def writable(self) -> Writable:
        return Writable(MemoryWritableTree(room_bytes=1 << 20))


@dataclass
class Devices:
    devices: MemoryBlockDevices
    path: str = DISK

    def content(self) -> tuple[str, ...]:
        return tuple(self.devices.disks_by_path[self.path].history)


class TestMemoryBlockDevices(BlockDevicesContract):
    @pytest.fixture
    def arranged(self) -> Devices:
        return Devices(MemoryBlockDevices(MemoryDisk(disk_facts())))


@dataclass
class Sealed:
    containers: MemoryContainers
    tree: MemoryWritableTree


class TestMemoryContainers(ContainersContract):
    @pytest.fixture
    def arranged(self) -> Sealed:
        return Sealed(MemoryContainers(), MemoryWritableTree(room_bytes=48 << 20))


@dataclass
class SealedDevice:
    containers: MemoryContainers

    def facts(self) -> DeviceFacts:
        return disk_facts()


class TestMemoryDeviceContainers(DeviceContainersContract):
    @pytest.fixture
    def arranged(self) -> SealedDevice:
        return SealedDevice(MemoryContainers())


class TestFixedClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return FixedClock()


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return SystemClock()


class TestInlineWorkers(WorkersContract):
    @pytest.fixture
    def workers(self) -> Workers:
        return InlineWorkers()


class TestThreadWorkers(WorkersContract):
    @pytest.fixture
    def workers(self) -> Workers:
        return ThreadWorkers()


class TestMemoryScratch(ScratchContract):
    @pytest.fixture
    def scratch(self) -> Scratch:
        return MemoryScratch()


@dataclass
class Reports:
    reports: MemoryReports = field(default_factory=MemoryReports)

    def path(self, name: str) -> str:
        return f"folder/{name}"

    def names(self) -> Sequence[str]:
        return sorted(path.removeprefix("folder/") for path in self.reports.written)

    def content(self, name: str) -> object:
        return self.reports.written[f"folder/{name}"]


class TestMemoryReports(ReportWriterContract):
    @pytest.fixture
    def arranged(self) -> Reports:
        return Reports()
