"""Load a disk from S3 the way AWS's loading facility did.

Operations in their order, keys in byte order; an object whose key cannot be a path goes
to the recovery directory; when the disk is full the load stops in strict order, so that
the next disk begins after the last key written (AWS Import/Export Developer Guide,
"Managing file exports").
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from s3export.domain.backup_layout import (
    NotAPath,
    Source,
    TreePath,
    directory_of,
    join,
    path_of,
    recovery_paths,
)
from s3export.domain.errors import AwsError, DiskFull, PathUnusable
from s3export.domain.evidence import ObjectFacts
from s3export.domain.export_log import WRITTEN, LogEntry
from s3export.domain.manifests import Manifest
from s3export.domain.ports import Clock, ObjectStore, Progress, Stage, WritableTree


@dataclass(frozen=True)
class NextDisk:
    """Where the next disk goes on: the operation (from 0) and its beginMarker."""

    operation: int
    begin_marker: str


@dataclass(frozen=True)
class LoadResult:
    """What was loaded.

    Attributes:
        entries: One per object, in the order of writing.
        next_disk: ``None`` when everything fitted.

    """

    entries: tuple[LogEntry, ...]
    next_disk: NextDisk | None

    @property
    def written(self) -> int:
        """How many objects are on the disk."""
        return sum(entry.written for entry in self.entries)

    @property
    def errors(self) -> int:
        """How many objects could not be written."""
        return len(self.entries) - self.written


@dataclass(frozen=True)
class LoadDevice:
    """The use case; see the module."""

    store: ObjectStore
    clock: Clock
    progress: Progress

    def __call__(self, manifest: Manifest, tree: WritableTree) -> LoadResult:
        """Write what the manifest selects into an empty tree, and sync it.

        Raises:
            AwsError: A bucket cannot be listed; what was written until then remains.

        """
        with self.progress.stage("loading") as stage:
            run = _Run(self, tree, directory_of(manifest.recovery_directory), stage)
            next_disk = run.load(manifest.sources())
        tree.sync()
        return LoadResult(tuple(run.entries), next_disk)


class _Run:
    def __init__(
        self,
        service: LoadDevice,
        tree: WritableTree,
        recovery: TreePath,
        stage: Stage,
    ) -> None:
        self._service = service
        self._tree = tree
        self._recovery = recovery_paths(recovery)
        self._stage = stage
        self.entries: list[LogEntry] = []

    def load(self, sources: tuple[Source, ...]) -> NextDisk | None:
        for number, source in enumerate(sources):
            last = source.begin_marker
            for found in selected(self._service.store, source):
                entry = self._write(source, found)
                if entry is None:
                    return NextDisk(number, last)
                self.entries.append(entry)
                self._stage.advance()
                last = found.key
        return None

    def _write(self, source: Source, found: ObjectFacts) -> LogEntry | None:
        """Write one object; ``None`` when the disk is full."""
        entry = LogEntry(
            at=self._service.clock.now(),
            bucket=source.bucket,
            key=found.key,
            file=TreePath(b""),
            status=WRITTEN,
            code="OK",
            md5="",
        )
        try:
            try:
                path = join(source.directory, path_of(found.key))
                return self._written(entry, path)
            except (NotAPath, PathUnusable):
                recovered = self._written(entry, next(self._recovery))
                return replace(recovered, code="Recovered")
        except DiskFull:
            return None
        except AwsError as error:
            return replace(entry, status=500, code=type(error).__name__)

    def _written(self, entry: LogEntry, path: TreePath) -> LogEntry:
        digest = hashlib.md5(usedforsecurity=False)

        def hashed() -> Iterator[bytes]:
            for chunk in self._service.store.read(entry.bucket, entry.key):
                digest.update(chunk)
                yield chunk

        self._tree.write(path, hashed())
        return replace(entry, file=path, md5=digest.hexdigest())


def selected(store: ObjectStore, source: Source) -> Iterator[ObjectFacts]:
    """Yield the objects that an operation exports, in key order."""
    listing = store.list_objects(
        source.bucket, prefix=source.prefix, after=source.begin_marker
    )
    for found in listing:
        if source.is_past(found.key):
            return
        if source.selects(found.key):
            yield found
