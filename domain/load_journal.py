"""The journal of a load: what has become of each object, batch by batch.

A batch is one line: a checksum, and its records as JSON. It is on the disk before the
files of the batch get their names; so whatever has a name and is not in the journal is
not ours, and after a crash only the files of the last batch are in doubt. A line that
was torn by a power cut ends the journal. The last line of a load that came to its end
says so, and where the next disk goes on.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from s3export.domain.backup_layout import LOAD_DIRECTORY, TreePath, join
from s3export.domain.errors import DeviceUnreadable, FileAbsent, FileUnreadable
from s3export.domain.export_log import LogEntry
from s3export.domain.ports import FileTree

JOURNAL = join(LOAD_DIRECTORY, b"journal")

BEGIN_ANEW = (
    "what is on the disk is damaged, and the load cannot go on: the same command with "
    "--start-over erases the disk and loads it anew; if that fails, too, the disk is "
    "faulty: load another one"
)
_CHUNK_BYTES = 1 << 20
_CHECKSUM_DIGITS = 8


@dataclass(frozen=True)
class NextDisk:
    """Where the next disk goes on: the operation (from 0) and its beginMarker."""

    operation: int
    begin_marker: str


@dataclass(frozen=True)
class Batch:
    """Records that were written together, and where their line lies, in bytes.

    Attributes:
        ended: The load had come to its end; there are no records.
        next_disk: Where it ended before everything was loaded: the disk was full.

    """

    start: int
    end: int
    entries: tuple[LogEntry, ...] = ()
    ended: bool = False
    next_disk: NextDisk | None = None


def line_of(entries: Sequence[LogEntry]) -> bytes:
    """Return a batch as its line."""
    records = [
        [
            entry.at.isoformat() if entry.at else "",
            entry.bucket,
            entry.key,
            entry.file.decode("utf-8", "surrogateescape"),
            entry.status,
            entry.code,
            entry.md5,
            entry.operation,
            entry.size_bytes,
            entry.version_id,
            entry.etag,
            entry.evidence,
            entry.digest,
        ]
        for entry in entries
    ]
    return _line(records)


def end_line(next_disk: NextDisk | None) -> bytes:
    """Return the last line of a load that came to its end."""
    place = [next_disk.operation, next_disk.begin_marker] if next_disk else []
    return _line({"next": place})


def _line(content: object) -> bytes:
    text = json.dumps(content, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def batches(tree: FileTree) -> Iterator[Batch]:
    """Yield the batches of a tree's journal, as far as it is whole.

    Raises:
        DeviceUnreadable: A line before the last one is damaged: no crash does that. Or
            it is there and cannot be read.

    """
    start = 0
    damaged = False
    for line in _lines(tree):
        if damaged:
            raise DeviceUnreadable(
                f"the load's journal, /{JOURNAL.decode()}, is damaged",
                next_step=BEGIN_ANEW,
            )
        batch = _batch(line, start)
        damaged = batch is None
        if batch:
            yield batch
        start += len(line)


def entries_of(tree: FileTree) -> Iterator[LogEntry]:
    """Yield the records of a tree's journal."""
    for batch in batches(tree):
        yield from batch.entries


def _lines(tree: FileTree) -> Iterator[bytes]:
    buffer = bytearray(_CHUNK_BYTES)
    pending = b""
    try:
        with tree.open(JOURNAL) as file:
            while got := file.readinto(buffer):
                *whole, pending = (pending + buffer[:got]).split(b"\n")
                yield from (line + b"\n" for line in whole)
    except FileAbsent:
        return
    except FileUnreadable as error:
        raise DeviceUnreadable(
            f"the load's journal, /{JOURNAL.decode()}, cannot be read: {error.message}",
            next_step=BEGIN_ANEW,
        ) from error


def _batch(line: bytes, start: int) -> Batch | None:
    """Read a line; ``None`` where it is not whole."""
    told, text = line[:_CHECKSUM_DIGITS], line[_CHECKSUM_DIGITS + 1 : -1]
    if told != b"%08x" % zlib.crc32(text):
        return None
    end = start + len(line)
    content = json.loads(text)
    if isinstance(content, list):
        return Batch(start, end, tuple(_read(content)))
    next_disk = NextDisk(*content["next"]) if content["next"] else None
    return Batch(start, end, ended=True, next_disk=next_disk)


def _read(records: Iterable[list[object]]) -> Iterator[LogEntry]:
    for at, bucket, key, file, *rest in records:
        yield LogEntry(
            datetime.fromisoformat(str(at)) if at else None,
            str(bucket),
            str(key),
            TreePath(str(file).encode("utf-8", "surrogateescape")),
            *rest,  # type: ignore[arg-type]
        )
