"""A bucket, a disk, and the use case that loads it, in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from loads import FaultyStore
from samples import DISK, disk_facts

from s3export.adapters.hash_functions import InstalledHashes
from s3export.adapters.keys import GivenKeys
from s3export.adapters.memory import (
    FixedClock,
    FixedRandomness,
    InlineWorkers,
    MemoryBlockDevices,
    MemoryContainers,
    MemoryDisk,
    MemoryWritableTree,
    SilentProgress,
)
from s3export.domain.containers import AS_IT_COMES, ContainerKey
from s3export.domain.manifests import Address, Manifest, Operation
from s3export.domain.secret import Secret
from s3export.domain.services.load_device import LoadDevice
from s3export.domain.services.load_disk import (
    LOADED_AS_USUAL,
    Encryption,
    LoadDisk,
    LoadPlan,
    LoadWishes,
)
from s3export.domain.services.load_survey import SurveyLoad

PASSWORD = Secret("unlikely pony")
NOBODY = Address("", "", "", "", "", "")
SIZE = 64 << 20


class Scene:
    """A bucket, a disk, and the use case over them."""

    def __init__(self) -> None:
        self.store = FaultyStore("b", "logs")
        for number in range(300):
            self.store.put("b", f"{number:03}", b"x" * number)
        self.disk = MemoryDisk(disk_facts(size_bytes=SIZE))
        self.devices = MemoryBlockDevices(self.disk)
        self.containers = MemoryContainers()
        clock, workers = FixedClock(), InlineWorkers()
        progress, hashes = SilentProgress(), InstalledHashes()
        self.load = LoadDisk(
            self.devices,
            self.containers,
            LoadDevice(self.store, hashes, workers, clock, progress),
            SurveyLoad(self.store, workers, clock, progress),
            FixedRandomness(),
        )
        self.manifest = Manifest((Operation("b"),), NOBODY, log_bucket="logs")

    def plan(
        self,
        encryption: Encryption = Encryption.NONE,
        password: Secret | None = PASSWORD,
        wishes: LoadWishes = LOADED_AS_USUAL,
    ) -> LoadPlan:
        """Plan a load of the disk."""
        asked = replace(wishes, encryption=encryption)
        return self.load.plan(self.manifest, DISK, GivenKeys(password), asked)

    def untouched(self) -> bool:
        """Say whether nothing on the disk was changed."""
        return self.disk.history == [] and self.disk.tree is None

    @contextmanager
    def outer(self, encryption: Encryption) -> Iterator[MemoryWritableTree]:
        """Give the file system that the marker is in."""
        if encryption is not Encryption.LUKS2:
            yield self.tree
            return
        key = ContainerKey(PASSWORD)
        facts = self.disk.facts
        with self.containers.open_device(facts, key, AS_IT_COMES) as opened:
            assert isinstance(opened.tree, MemoryWritableTree)
            yield opened.tree

    @property
    def tree(self) -> MemoryWritableTree:
        """The file system of the disk."""
        assert self.disk.tree is not None
        return self.disk.tree
