"""Load again what a load had settled and its disk no longer holds.

One look at each file that the journal says was written: one that is missing, or has
another size, gets its bytes from S3 again, if these are the very bytes that were
written. The journal stays as it is, and nothing is touched that has its size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from s3export.domain.backup_layout import Source
from s3export.domain.errors import PathUnusable
from s3export.domain.evidence import ObjectFacts
from s3export.domain.export_log import LogEntry
from s3export.domain.load_journal import entries_of
from s3export.domain.ports import WritableTree
from s3export.domain.services.fetch_object import Fetched, FetchObject, Item

LOST = "Lost"

_TOGETHER_FILES = 128
_TOGETHER_BYTES = 64 << 20


@dataclass(frozen=True)
class Restored:
    """A file that was not as it was written.

    Attributes:
        lost: Why it is not there again; empty if it is.

    """

    entry: LogEntry
    lost: str = ""


@dataclass
class RestoreFiles:
    """The use case, on one tree that is being loaded; see the module."""

    tree: WritableTree
    sources: Sequence[Source]
    fetch: FetchObject
    _waiting: list[tuple[LogEntry, Fetched]] = field(default_factory=list)

    def __call__(self) -> Iterator[Restored]:
        """Yield what was not as it was written, after it was dealt with.

        Files get their names when their bytes are safe. The names are safe after the
        next sync.

        Raises:
            AwsError: S3 cannot be asked. The next call finds what is still missing.
            DeviceFailed: The disk gives an error. As before.

        """
        size = 0
        for entry in entries_of(self.tree):
            if not entry.written or not self._is_ours(entry):
                continue
            if self.tree.size_of(entry.file) == entry.size_bytes:
                continue
            found = self._fetched(entry)
            if found.file is None or found.md5 != entry.md5:
                yield Restored(entry, self._why(found))
                continue
            self._waiting.append((entry, found))
            size += entry.size_bytes
            if len(self._waiting) >= _TOGETHER_FILES or size >= _TOGETHER_BYTES:
                yield from self._named()
                size = 0
        yield from self._named()

    def _is_ours(self, entry: LogEntry) -> bool:
        """Say whether an entry can be one of this load: a disk may say anything."""
        names = entry.file.split(b"/")
        operation = entry.operation or 0
        return (
            not {b"", b".", b".."} & {*names}
            and 0 <= operation < len(self.sources)
            and self.sources[operation].bucket == entry.bucket
        )

    def _fetched(self, entry: LogEntry) -> Fetched:
        operation = entry.operation or 0
        at = entry.at or self.fetch.clock.now()
        listed = ObjectFacts(entry.bucket, entry.key, entry.size_bytes, entry.etag, at)
        return self.fetch(Item(operation, self.sources[operation], listed), _never)

    def _why(self, found: Fetched) -> str:
        if found.file is not None:
            self.fetch.files.close(found.file)
            return "S3 holds other bytes now than were written"
        if found.full:
            return "there is no room for it"
        return found.detail or found.code

    def _named(self) -> Iterator[Restored]:
        if not self._waiting:
            return
        self.tree.sync()
        for entry, found in self._waiting:
            if found.file is None:
                continue
            try:
                if self.tree.size_of(entry.file) is not None:
                    self.tree.remove(entry.file)
                self.tree.make_room_for(entry.file)
                self.tree.give_name(found.file, entry.file)
            except PathUnusable as error:
                self.fetch.files.close(found.file)
                yield Restored(entry, error.message)
            else:
                self.fetch.files.close(found.file)
                yield Restored(entry)
        self._waiting.clear()


def _never() -> bool:
    return False
