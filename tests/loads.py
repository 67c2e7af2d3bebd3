"""Loads in memory, with stores that fail and disks that are unplugged."""

from collections.abc import Iterator
from contextlib import contextmanager

from s3export.adapters.hash_functions import InstalledHashes
from s3export.adapters.memory import (
    FixedClock,
    InlineWorkers,
    MemoryObjectStore,
    MemoryWritableTree,
    SilentProgress,
)
from s3export.domain.backup_layout import BackupLayout, Source, TreePath
from s3export.domain.errors import AwsError, BodyBroken
from s3export.domain.evidence import ObjectFacts
from s3export.domain.export_log import LogEntry, parse_export_log
from s3export.domain.ports import (
    AskedAhead,
    Clock,
    NewFile,
    ObjectBody,
    ObjectStore,
    Progress,
)
from s3export.domain.services.load_device import (
    LoadDevice,
    LoadRequest,
    LoadResult,
)

RECOVERY = TreePath(b"EXPORT-RECOVERY")
BUCKET = "b"


def source(directory: bytes = b"b", bucket: str = BUCKET, **rest: object) -> Source:
    """Return a source of a bucket, in a directory of its name."""
    return Source(bucket, TreePath(directory), **rest)  # type: ignore[arg-type]


def request(*sources: Source, **rest: object) -> LoadRequest:
    """Return what asks for these sources."""
    layout = BackupLayout(sources or (source(),), RECOVERY)
    return LoadRequest(layout, "JOB1", **rest)  # type: ignore[arg-type]


def load(
    store: ObjectStore,
    tree: MemoryWritableTree,
    asked: LoadRequest | None = None,
    clock: Clock | None = None,
    progress: Progress | None = None,
) -> LoadResult:
    """Load a tree, one object at a time."""
    clock = clock or FixedClock()
    service = LoadDevice(
        store, InstalledHashes(), InlineWorkers(), clock, progress or SilentProgress()
    )
    return service(asked or request(), tree)


def log_of(tree: MemoryWritableTree) -> tuple[LogEntry, ...]:
    """Return the entries of the log on a disk."""
    return parse_export_log(tree.files[b"S3EXPORT/export-log-JOB1"], "log").entries


def backup_of(tree: MemoryWritableTree) -> dict[bytes, bytes]:
    """Return the files of a tree that are no notes of the loader."""
    return {
        path: content
        for path, content in tree.files.items()
        if not path.startswith(b"S3EXPORT/")
    }


class _FaultyBody(ObjectBody):
    def __init__(self, body: ObjectBody, fault: str) -> None:
        self.facts = body.facts
        self._body = body
        self._fault = fault

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        if self._fault == "breaks":
            raise BodyBroken("the connection broke")
        got = self._body.readinto(buffer)
        if self._fault == "wrong" and got:
            buffer[0] ^= 1
        if self._fault == "short" and got:
            return got - 1
        return got


class FaultyStore(MemoryObjectStore):
    """Has faults for some keys, so many times each.

    Attributes:
        faults: By key: ``breaks``, ``wrong`` (a bit), ``short``, or an error; one for
            each time that the object is opened, from the first on.
        overwritten: By key: what is put in its place when it is first opened.
    """

    def __init__(self, *buckets: str) -> None:
        super().__init__(*buckets)
        self.faults: dict[str, list[str | AwsError]] = {}
        self.overwritten: dict[str, bytes] = {}

    @contextmanager
    def open(self, bucket: str, key: str, **rest: object) -> Iterator[ObjectBody]:
        """Open an object, with the next fault."""
        faults = self.faults.get(key, [])
        fault = faults.pop(0) if faults else ""
        if isinstance(fault, AwsError):
            raise fault
        with super().open(bucket, key, **rest) as body:  # type: ignore[arg-type]
            if key in self.overwritten:
                self.put(bucket, key, self.overwritten.pop(key))
            yield _FaultyBody(body, fault)

    def ask_ahead(self, bucket: str, key: str) -> AskedAhead | None:
        """Ask, unless the answer will be an error: that is for `open` to tell."""
        faults = self.faults.get(key, [""])
        if faults and isinstance(faults[0], AwsError):
            return None
        return super().ask_ahead(bucket, key)

    def facts(self, key: str) -> ObjectFacts:
        """Return an object's metadata."""
        found = self.head(BUCKET, key)
        assert found is not None
        return found


class Unplugged(BaseException):
    """The program, or the power, is gone."""


class FragileTree(MemoryWritableTree):
    """Ends everything at one of its operations.

    Attributes:
        operations: How many there were.
    """

    def __init__(self, *, lasts: int, power: bool, room_bytes: int = 1 << 30) -> None:
        super().__init__(room_bytes=room_bytes)
        self._lasts = lasts
        self._power = power
        self._synced: dict[bytes, bytes] = {}
        self.operations = 0

    def left(self) -> MemoryWritableTree:
        """Return what is found after it: what was synced at least.

        A program that is killed leaves all that it wrote; without power only what was
        synced is sure to be there, and a file that grew may have grown by a half.
        """
        tree = MemoryWritableTree(room_bytes=self.room_bytes)
        files = self._synced if self._power else self.files
        for path, content in files.items():
            tree.replace(TreePath(path), content)
        if self._power:
            for path, content in self.files.items():
                old = self._synced.get(path)
                if old is not None and content.startswith(old) and content != old:
                    half = len(old) + (len(content) - len(old)) // 2
                    tree.replace(TreePath(path), content[:half])
        return tree

    def new_file(self) -> NewFile:
        """Count it."""
        self._count()
        return super().new_file()

    def make_room_for(self, path: TreePath) -> None:
        """Count it."""
        self._count()
        super().make_room_for(path)

    def give_name(self, file: NewFile, path: TreePath) -> None:
        """Count it."""
        self._count()
        super().give_name(file, path)

    def append(self, path: TreePath, data: bytes) -> None:
        """Count it."""
        self._count()
        super().append(path, data)
        self._count()

    def remove(self, path: TreePath) -> None:
        """Count it."""
        self._count()
        super().remove(path)

    def truncate(self, path: TreePath, size_bytes: int) -> None:
        """Count it."""
        self._count()
        super().truncate(path, size_bytes)

    def sync(self) -> None:
        """Remember what is safe from now on."""
        self._count()
        self._synced = dict(self.files)

    def _count(self) -> None:
        self.operations += 1
        if self.operations == self._lasts:
            raise Unplugged
