"""S3 Batch Operations "Compute checksum": asked for here, its answers read here.

It computes a checksum of an object where it lies, archived or not, so that objects
whose metadata prove nothing can be settled without being downloaded. The job's manifest
is CSV: bucket, URL-encoded key, version (Amazon S3 User Guide, "Specifying a
manifest"). Its completion report is CSV, too: Bucket, Key, VersionId, TaskStatus,
ErrorCode, HTTPStatusCode, ResultMessage; the last is JSON with ``checksum_base64``,
``checksumAlgorithm``, ``checksumType`` and ``etag`` ("Examples: S3 Batch Operations
completion reports").
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_plus

from s3export.domain.backup_layout import ObjectName
from s3export.domain.errors import InputRefused

_COLUMNS = 7
_HEADER = ["bucket", "key", "versionid"]  # "bucket" alone can be a bucket's name


@dataclass(frozen=True)
class Computed:
    """A checksum that S3 computed of an object at rest.

    Attributes:
        algorithm: As S3 spells it: ``SHA256``.
        value: Base64.
        etag: Of the content that was read, without quotes; empty where not told.

    """

    algorithm: str
    value: str
    etag: str


def batch_manifest(objects: Iterable[ObjectName]) -> str:
    """Return the manifest of a Batch Operations job: one line an object, no header."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    for name in dict.fromkeys(objects):
        table.writerow((name.bucket, quote(name.key, safe="/")))
    return text.getvalue()


def parse_checksum_report(content: bytes, name: str) -> Mapping[ObjectName, Computed]:
    """Read the CSV of a completion report; what failed or is composite is left out.

    Raises:
        InputRefused: It is not such a report.

    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputRefused(f"{name}: not UTF-8, so no completion report") from error
    found: dict[ObjectName, Computed] = {}
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in rows:
            if not row or [cell.strip().lower() for cell in row[:3]] == _HEADER:
                continue
            if len(row) < _COLUMNS:
                raise InputRefused(
                    f"{name}: line {rows.line_num} has {len(row)} columns, "
                    f"a completion report has {_COLUMNS}",
                    next_step="take the .csv that the report's manifest.json names",
                )
            computed = _computed(row)
            if computed:
                found[ObjectName(row[0].strip(), unquote_plus(row[1]))] = computed
    except csv.Error as error:
        raise InputRefused(f"{name}: line {rows.line_num}: {error}") from error
    return found


def _computed(row: Sequence[str]) -> Computed | None:
    if row[3].strip().lower() != "succeeded":
        return None
    try:
        said: Any = json.loads(row[6])
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    told = {str(name).replace("_", "").lower(): value for name, value in said.items()}
    value = told.get("checksumbase64")
    algorithm = told.get("checksumalgorithm")
    if not isinstance(value, str) or not isinstance(algorithm, str):
        return None
    if str(told.get("checksumtype", "FULL_OBJECT")).upper() != "FULL_OBJECT":
        return None
    etag = str(told.get("etag") or "").strip('"')
    return Computed(algorithm.upper(), value, etag)
