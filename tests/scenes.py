"""A disk and a bucket in memory, to be verified."""

from dataclasses import replace

from samples import DISK, disk_facts

from s3export.adapters.hash_functions import InstalledHashes
from s3export.adapters.memory import (
    FixedClock,
    FixedKeys,
    InlineWorkers,
    MemoryBlockDevices,
    MemoryContainers,
    MemoryDisk,
    MemoryObjectStore,
    MemoryScratch,
    MemoryWritableTree,
    RecordedProgress,
)
from s3export.domain.backup_layout import BackupLayout, Source, TreePath
from s3export.domain.services.open_backup import OpenBackup
from s3export.domain.services.verification_run import Parts
from s3export.domain.services.verify_backup import VerifyBackup
from s3export.domain.services.verify_request import VerifyRequest
from s3export.domain.verification import EarlierRun, Outcome, Report, selections

ROOT = TreePath(b"bkt")
LAYOUT = BackupLayout((Source("bkt", ROOT),), TreePath(b"EXPORT-RECOVERY"))


class Scene:
    """A disk and a bucket that agree, until a test changes one of them."""

    def __init__(self) -> None:
        self.tree = MemoryWritableTree()
        self.disk = MemoryDisk(disk_facts(), tree=self.tree)
        self.devices = MemoryBlockDevices(self.disk)
        self.store = MemoryObjectStore("bkt")
        self.containers = MemoryContainers()
        self.keys = FixedKeys()
        self.progress = RecordedProgress()
        self.clock = FixedClock()

    def both(self, key: str, body: bytes, parts: tuple[int, ...] = ()) -> None:
        self.on_disk(key, body)
        self.store.put("bkt", key, body, part_sizes=parts)

    def on_disk(self, key: str, body: bytes) -> None:
        self.tree.replace(TreePath(b"bkt/" + key.encode()), body)

    def verify(self, **wishes: object) -> Report:
        request = VerifyRequest(device=DISK, layout=LAYOUT, seed="s")
        wished = replace(request, **wishes)  # type: ignore[arg-type]
        return self.service()(wished, self.keys)

    def service(self) -> VerifyBackup:
        return VerifyBackup(
            devices=self.devices,
            open_backup=OpenBackup(self.devices, self.containers),
            parts=Parts(
                store=self.store,
                hashes=InstalledHashes(),
                scratch=MemoryScratch(),
                workers=InlineWorkers(),
                clock=self.clock,
                progress=self.progress,
            ),
            version="test",
        )


def outcomes(report: Report) -> dict[bytes, Outcome]:
    """Return what was found, by path."""
    return {finding.path: finding.outcome for finding in report.findings}


def earlier(report: Report) -> EarlierRun:
    """Return what a later run is told of an earlier one."""
    return EarlierRun(
        seed=report.sample.seed,
        requested=report.sample.requested,
        device_path=report.device.path,
        serial=report.device.serial,
        size_bytes=report.device.size_bytes,
        root=f"/{report.root.decode()}",
        strong=report.strong,
        started_at=report.started_at,
        selections=selections(report.sources),
        verified=frozenset(report.verified),
        service=report.service,
    )
