"""What a disk says of itself: which selection was loaded onto it.

`load-device` writes it to ``S3EXPORT/selection.json``. Of a series of disks each has
its part: the first operation begins after the last key of the disk before, and the last
one ends with the last key on this disk. So `verify-backup` can do without a manifest,
and misses nothing that belongs to the next disk.

It is the disk's own word, and read as what others may have made.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from s3export.domain.backup_layout import (
    LOAD_DIRECTORY,
    LONGEST_KEY_BYTES,
    BackupLayout,
    Source,
    Substitution,
    TreePath,
    directory_of,
    join,
)
from s3export.domain.errors import InputRefused

SELECTION = join(LOAD_DIRECTORY, b"selection.json")
SELECTION_SCHEMA = "s3export/load/1"

MOST_SOURCES = 65_535
"""As many as an inventory takes."""

_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}")
_RECOVERY = TreePath(b"EXPORT-RECOVERY")

_Fields = Mapping[str, object]


@dataclass(frozen=True)
class LoadSelection:
    """What was loaded onto a disk.

    Attributes:
        job_id: Of the job that it was loaded for; may be empty.
        sources: At least one, in the order of the operations.
        recovery_directory: Where objects lie whose keys cannot be paths.

    """

    job_id: str
    sources: tuple[Source, ...]
    recovery_directory: TreePath = _RECOVERY

    @property
    def layout(self) -> BackupLayout:
        """Return which objects the files should be equal to."""
        return BackupLayout(self.sources, self.recovery_directory)

    def up_to(self, operation: int, last_key: str) -> "LoadSelection":
        """Return the part that is on a disk that was full.

        Args:
            operation: Its number, from 0, of the first object that did not fit.
            last_key: The last key of that operation that is on the disk; empty where
                none is.

        Raises:
            ValueError: Nothing at all is on the disk.

        """
        whole = self.sources[operation]
        kept = self.sources[:operation]
        if last_key and last_key != whole.begin_marker:
            kept = (*kept, replace(whole, end_marker=last_key))
        if not kept:
            raise ValueError("a disk with nothing on it holds no part")
        return replace(self, sources=kept)

    def starts_at(self, whole: Sequence[Source]) -> int | None:
        """Return with which source of a whole selection this part of it begins.

        A part is one stretch of it: only its first source may begin later, and only
        its last one end earlier. ``None`` where it is something else; the whole is a
        part of itself.
        """
        for start in range(len(whole) - len(self.sources) + 1):
            if self._is_stretch(whole[start : start + len(self.sources)]):
                return start
        return None

    def _is_stretch(self, others: Sequence[Source]) -> bool:
        last = len(self.sources) - 1
        for number, (own, other) in enumerate(zip(self.sources, others, strict=True)):
            end = other.end_marker
            begins = own.begin_marker == other.begin_marker or (
                number == 0 and own.begin_marker > other.begin_marker
            )
            ends = own.end_marker == end or (
                number == last
                and bool(own.end_marker)
                and (not end or own.end_marker < end)
            )
            unbounded = replace(own, begin_marker="", end_marker="")
            same = unbounded == replace(other, begin_marker="", end_marker="")
            if not (same and begins and ends):
                return False
        return True

    def to_json(self) -> bytes:
        """Return it as the file's content: ASCII, one line an entry."""
        document = {
            "schema": SELECTION_SCHEMA,
            "job_id": self.job_id,
            "recovery_directory": _text_of(self.recovery_directory),
            "sources": [_document(source) for source in self.sources],
        }
        return json.dumps(document, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, content: bytes, name: str) -> "LoadSelection":
        """Read the file's content; ``name`` is what messages call it.

        Raises:
            InputRefused: It is nothing of the kind, or says what cannot be.

        """
        try:
            document = json.loads(content)
            return cls._read(_fields(document))
        except (ValueError, RecursionError) as error:
            raise InputRefused(f"{name}: {error}") from error
        except InputRefused as error:
            raise InputRefused(f"{name}: {error.message}") from error

    @classmethod
    def _read(cls, document: _Fields) -> "LoadSelection":
        if document.get("schema") != SELECTION_SCHEMA:
            raise ValueError(f"its schema is not {SELECTION_SCHEMA}")
        sources = _items(document.get("sources"), "sources")
        if not 0 < len(sources) <= MOST_SOURCES:
            raise ValueError(f"{len(sources):,} sources are not 1 to {MOST_SOURCES:,}")
        recovery = _text(document, "recovery_directory", _text_of(_RECOVERY))
        recovery_directory = directory_of(recovery)
        if not recovery_directory:
            raise ValueError("recovery_directory is the root")
        return cls(
            _utf8(_text(document, "job_id"), "job_id"),
            tuple(_source(_fields(source)) for source in sources),
            recovery_directory,
        )


def _document(source: Source) -> dict[str, object]:
    return {
        "bucket": source.bucket,
        "directory": _text_of(source.directory),
        "prefix": source.prefix,
        "begin_marker": source.begin_marker,
        "end_marker": source.end_marker,
        "substitutions": [
            {"part": one.part, "instead": one.instead} for one in source.substitutions
        ],
    }


def _source(fields: _Fields) -> Source:
    bucket = _text(fields, "bucket")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(f"{bucket!a} is not a bucket's name")
    begin, end = _key(fields, "begin_marker"), _key(fields, "end_marker")
    if begin and end and begin > end:
        raise ValueError("a source ends before it begins")
    return Source(
        bucket,
        directory_of(_text(fields, "directory")),
        _key(fields, "prefix"),
        begin,
        end,
        tuple(
            Substitution(_key(_fields(one), "part"), _key(_fields(one), "instead"))
            for one in _items(fields.get("substitutions", []), "substitutions")
        ),
    )


def _fields(value: object) -> _Fields:
    if not isinstance(value, dict):
        raise ValueError("something is no object of JSON that should be one")
    return value


def _items(value: object, name: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise ValueError(f"{name} is no list")
    return value


def _text(fields: _Fields, name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def _key(fields: _Fields, name: str) -> str:
    """Read a part of keys; ``null`` is empty, as in reports."""
    value = "" if fields.get(name, 0) is None else _text(fields, name)
    if len(_utf8(value, name).encode()) > LONGEST_KEY_BYTES:
        raise ValueError(f"{name} is longer than {LONGEST_KEY_BYTES} bytes")
    return value


def _utf8(text: str, name: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} is no text of Unicode") from None
    return text


def _text_of(path: TreePath) -> str:
    """Return a path as text that `directory_of` reads; its bytes need be no UTF-8."""
    return path.decode("utf-8", "surrogateescape")
