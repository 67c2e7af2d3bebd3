"""Verify a disk and a bucket of very many objects, made up as they are asked for.

Argument: how many. Everything but the disk and S3 is real, the spill files among it, so
what this process takes in memory is what a verification takes.
"""

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO

from dependency_injector import providers

import s3export
from s3export.adapters.memory import (
    MemoryBlockDevices,
    MemoryDisk,
    MemoryFileTree,
    MemoryObjectStore,
)
from s3export.adapters.scratch import TemporaryScratch
from s3export.domain.backup_layout import TreePath
from s3export.domain.devices import DeviceFacts, DeviceKind
from s3export.domain.evidence import ObjectFacts
from s3export.domain.ports import Readable, TreeEntry, TreeFile
from s3export.entrypoints.container import memory_application

_BUCKET = "b"
_DISK = "/dev/sdz"
_STRIDE = 7919  # a prime: the disk is walked in another order than S3 lists
_EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
_AT = datetime(2020, 1, 1, tzinfo=UTC)


def _key(number: int) -> str:
    return f"{number // 1000:06}/{number % 1000:04}-object.bin"


def _facts(key: str) -> ObjectFacts:
    return ObjectFacts(_BUCKET, key, 0, _EMPTY, _AT)


class _Store(MemoryObjectStore):
    def __init__(self, count: int) -> None:
        super().__init__(_BUCKET)
        self._many = count

    def list_objects(
        self, bucket: str, *, prefix: str = "", after: str = ""
    ) -> Iterator[ObjectFacts]:
        return (_facts(_key(number)) for number in range(self._many))

    def list_unordered(
        self,
        bucket: str,
        *,
        prefix: str = "",
        after: str = "",
        up_to: str = "",
        at_once: int = 1,
    ) -> Generator[ObjectFacts, None, None]:
        yield from self.list_objects(bucket)

    def head(self, bucket: str, key: str, *, version_id: str = "") -> ObjectFacts:
        return _facts(key)


class _Nothing(Readable):
    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        return 0


class _Tree(MemoryFileTree):
    def __init__(self, count: int) -> None:
        super().__init__({b"b/one": b""})
        self._many = count

    def entries(self, below: TreePath) -> Iterator[TreeEntry]:
        at = int(_AT.timestamp()) * 10**9
        for step in range(self._many):
            number = step * _STRIDE % self._many
            path = TreePath(f"{_BUCKET}/{_key(number)}".encode())
            yield TreeFile(path, 0, at, number, at)

    @contextmanager
    def open(self, path: TreePath, *, start: int = 0) -> Iterator[Readable]:
        yield _Nothing()


def main(count: int, out: IO[str]) -> None:
    """Verify a sample of 100, and look for every object and every file."""
    facts = DeviceFacts(_DISK, DeviceKind.DISK, 1 << 40, signatures=("ext4",))
    disk = MemoryDisk(facts)
    disk.tree = _Tree(count)  # type: ignore[assignment]
    app = memory_application()
    app.adapters.object_store.override(providers.Object(_Store(count)))
    app.adapters.scratch.override(providers.Singleton(TemporaryScratch))
    app.adapters.block_devices.override(providers.Object(MemoryBlockDevices(disk)))
    found = s3export.verify_backup(_DISK, bucket=_BUCKET, application=app)
    if found.sample.population != count or found.completeness is None:
        sys.exit(f"not everything was looked at: {found.sample}")
    print(found.verdict, file=out)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.stdout)
