"""Read a loaded disk again, and compare every file with what was written.

The disk was released and its buffers dropped in between, so that what is read comes
from the medium.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

from s3export.domain.errors import FileAbsent, FileUnreadable
from s3export.domain.export_log import LogEntry
from s3export.domain.load_journal import entries_of
from s3export.domain.ports import FileTree, HashFunctions, Progress, Stop, Workers

_MOST_NAMED = 20


@dataclass
class ReadBackResult:
    """What was found.

    Attributes:
        files: How many files were read.
        wrong: How many are not what was written.
        absent: How many of them are not there, or no regular files.
        named: Some of them, with what is wrong.

    """

    files: int = 0
    size_bytes: int = 0
    wrong: int = 0
    absent: int = 0
    named: list[tuple[LogEntry, str]] = field(default_factory=list)


@dataclass(frozen=True)
class ReadBack:
    """The use case; see the module."""

    hashes: HashFunctions
    workers: Workers
    progress: Progress

    def __call__(
        self, tree: FileTree, *, total: int, total_bytes: int, at_once: int
    ) -> ReadBackResult:
        """Read every file that the journal of a tree says was written."""
        found = ReadBackResult()

        def examine(entry: LogEntry, stop: Stop) -> tuple[LogEntry, int, str, bool]:
            return entry, *self._examined(tree, entry, stop)

        read = self.workers.map(examine, _written(tree), at_once=at_once)
        stages = self.progress.stage(
            "reading back", total=total, total_bytes=total_bytes
        )
        with stages as stage, closing(read):
            for entry, size, wrong, absent in read:
                found.files += 1
                found.size_bytes += size
                found.absent += absent
                if wrong:
                    found.wrong += 1
                    if len(found.named) < _MOST_NAMED:
                        found.named.append((entry, wrong))
                stage.advance(size_bytes=size)
        return found

    def _examined(
        self, tree: FileTree, entry: LogEntry, stop: Stop
    ) -> tuple[int, str, bool]:
        digest = self.hashes.new("MD5")
        size = 0
        try:
            with tree.open(entry.file) as file, closing(file.chunks()) as chunks:
                for chunk in chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    if stop():
                        break
        except FileAbsent as error:
            return size, error.message, True
        except FileUnreadable as error:
            return size, error.message, False
        if size != entry.size_bytes:
            written = f"{entry.size_bytes:,} were written"
            return size, f"it has {size:,} bytes, and {written}", False
        if digest.digest().hex() != entry.md5:
            return size, "it has other bytes than were written", False
        return size, "", False


def _written(tree: FileTree) -> Iterator[LogEntry]:
    return (entry for entry in entries_of(tree) if entry.written)
