"""The export log: what the loading facility says it did with each object.

Fields: DateTime, File, Status, Code, Key, Checksum (AWS Import/Export Developer Guide,
"Log file fields"). Neither the separator nor the quoting is documented anywhere, and no
log of the service has survived, so reading is patient: a header may name the columns in
any order, and commas, tabs, semicolons and bars may part them. Our own loader writes
CSV with a header.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Literal

from s3export.domain.backup_layout import TreePath, shown
from s3export.domain.errors import InputRefused

FIELDS = ("DateTime", "File", "Status", "Code", "Key", "Checksum")

OWN_FIELDS = ("Operation", "Size", "VersionId", "ETag", "Evidence", "Digest")
"""What our own loader adds, to the right: what was compared, and equal."""

WRITTEN = 200
"""The status of an object that is on the device: HTTP's OK."""

_LINES_TO_JUDGE_BY = 50
_SEPARATORS = (",", "\t", ";", "|")
_STATUS = re.compile(r"[0-9]{1,9}")
_COUNT = re.compile(r"[0-9]{1,19}")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")

_ZONES = {
    "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5,
    "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
_MONTHS = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]


@dataclass(frozen=True)
class LogEntry:
    """What became of one object.

    Attributes:
        at: When; ``None`` where the log's form of the time is not known.
        file: The path on the device; empty where nothing was written.
        status: An HTTP status or a code of the service's own; 200 for written.
        md5: Of the bytes written, hexadecimal; empty where nothing was written.
        operation: The number of the manifest's operation, from 0; ``None`` where the
            log does not say it, as AWS's did not.
        size_bytes: Of what was written; as the listing said where nothing was.
        version_id, etag: Of the version that was written.
        evidence: What of S3's the bytes were found equal to while they were written:
            the name of its kind, ``none`` where S3 offers nothing.
        digest: The value that was equal.

    """

    at: datetime | None
    bucket: str
    key: str
    file: TreePath
    status: int
    code: str
    md5: str
    operation: int | None = None
    size_bytes: int = 0
    version_id: str = ""
    etag: str = ""
    evidence: str = ""
    digest: str = ""

    @property
    def written(self) -> bool:
        """Whether the object is on the device."""
        return self.status == WRITTEN and bool(self.file)


@dataclass(frozen=True)
class ExportLog:
    """A whole log.

    Attributes:
        entries: In the order of the log.
        unread: Lines that say nothing that is understood.

    """

    entries: tuple[LogEntry, ...]
    unread: int = 0

    @property
    def newest(self) -> datetime | None:
        """When the last object was written."""
        return max((entry.at for entry in self.entries if entry.at), default=None)


def parse_export_log(content: bytes, name: str) -> ExportLog:
    """Read a log.

    Raises:
        InputRefused: It is no export log: no line of it names an object.

    """
    text = content.decode("utf-8-sig", "surrogateescape")
    separator = _separator(text)
    # A quote that is part of a key, and was not doubled, would swallow lines.
    readings = [
        _read(text, separator, csv.QUOTE_MINIMAL),
        _read(text, separator, csv.QUOTE_NONE),
    ]
    log = max(readings, key=lambda reading: len(reading.entries))
    if not log.entries:
        raise InputRefused(
            f"{name}: no line of it reads as {', '.join(FIELDS)}: it is no export log",
            next_step="get-status names the log of AWS's job; load-device left its own "
            "in S3EXPORT/ on the disk",
        )
    return log


def _separator(text: str) -> str:
    """Return what parts the columns: whatever makes sense of the first lines."""
    head = "".join(islice(io.StringIO(text, newline=""), _LINES_TO_JUDGE_BY))
    return max(
        _SEPARATORS,
        key=lambda one: len(_read(head, one, csv.QUOTE_MINIMAL).entries),
    )


def _read(text: str, separator: str, quoting: Literal[0, 3]) -> ExportLog:
    rows = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=separator,
        skipinitialspace=True,
        quoting=quoting,
    )
    columns: Sequence[str] = FIELDS
    entries: list[LogEntry] = []
    unread = 0
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return ExportLog(tuple(entries), unread)
        except csv.Error:  # a NUL, a field beyond all measure
            unread += 1
            continue
        if not any(row):
            continue
        names = _header(row)
        if names:
            columns = names
            continue
        entry = _entry(dict(zip(columns, row, strict=False)))
        if entry:
            entries.append(entry)
        else:
            unread += 1


def write_export_log(entries: Iterable[LogEntry]) -> bytes:
    """Return a log as CSV with a header line, UTF-8: it can carry every key."""
    return b"".join(export_log_lines(entries))


def export_log_lines(entries: Iterable[LogEntry]) -> Iterator[bytes]:
    """Yield the same line by line, so that no log has to fit in memory."""
    text = io.StringIO(newline="")
    table = csv.writer(text)  # its lines end in CR LF, so that either is quoted
    table.writerow((*FIELDS, *OWN_FIELDS))
    for entry in entries:
        table.writerow(_cells(entry))
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def _cells(entry: LogEntry) -> tuple[object, ...]:
    return (
        _stamp(entry.at) if entry.at else "",
        f"/{_escaped(entry.file)}" if entry.file else "",
        entry.status,
        entry.code,
        f"/{entry.bucket}/{entry.key}",
        entry.md5,
        "" if entry.operation is None else entry.operation + 1,
        entry.size_bytes,
        entry.version_id,
        entry.etag,
        entry.evidence,
        entry.digest,
    )


def _header(row: Sequence[str]) -> Sequence[str]:
    known = {name.lower(): name for name in (*FIELDS, *OWN_FIELDS)}
    names = [known.get(cell.strip().strip("#").lower(), "") for cell in row]
    return names if "Key" in names and "Status" in names else ()


def _entry(cells: dict[str, str]) -> LogEntry | None:
    """Return an entry, if the line has a key and a status."""
    bucket, slash, key = cells.get("Key", "").removeprefix("/").partition("/")
    status = cells.get("Status", "").strip()
    if not (bucket and slash and key and _STATUS.fullmatch(status)):
        return None
    if not _is_utf8(bucket) or not _is_utf8(key):
        return None  # no object of S3
    return LogEntry(
        at=_moment(cells.get("DateTime", "").strip()),
        bucket=bucket,
        key=key,
        file=_path(cells.get("File", "")),
        status=int(status),
        code=_said(cells.get("Code", "")),
        md5=_said(cells.get("Checksum", "")),
        operation=_counted(cells.get("Operation", "")),
        size_bytes=_number(cells.get("Size", "")),
        version_id=_said(cells.get("VersionId", "")),
        etag=_said(cells.get("ETag", "")),
        evidence=_said(cells.get("Evidence", "")),
        digest=_said(cells.get("Digest", "")),
    )


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if _COUNT.fullmatch(text) else 0


def _counted(text: str) -> int | None:
    """Read a number counted from 1; return it counted from 0."""
    return _number(text) - 1 if _number(text) else None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _said(text: str) -> str:
    """Return what reports can quote."""
    return shown(text.strip().encode("utf-8", "surrogateescape"))


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%a %b %d %H:%M:%S UTC %Y")


def _escaped(path: bytes) -> str:
    r"""Return a path as `shown` does; a ``\x`` that stands in it becomes ``\x5cx``."""
    return shown(path.replace(rb"\x", rb"\x5cx"))


def _path(text: str) -> TreePath:
    raw = text.encode("utf-8", "surrogateescape").strip(b"/")
    return TreePath(_ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), raw))


def _moment(text: str) -> datetime | None:
    """Read a time: ``Wed Nov 12 11:07:34 PST 2008``, RFC 822, or ISO 8601."""
    for read in (_unix_date, datetime.fromisoformat, _mail_date):
        try:
            moment = read(text)
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return aware.astimezone(UTC)
        except (ValueError, OverflowError, LookupError):
            continue
    return None


def _unix_date(text: str) -> datetime:
    _, month, day, clock, zone, year = text.split()
    hour, minute, second = map(int, clock.split(":"))
    local = datetime(
        int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC
    )
    return local - timedelta(hours=_ZONES[zone])


def _mail_date(text: str) -> datetime:
    moment = parsedate_to_datetime(text)
    if moment.tzinfo is None:
        raise ValueError("its zone is not known")
    return moment
