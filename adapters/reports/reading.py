"""Reports read back: to go on from, and to make a remedy of."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from s3export.adapters.input_files import content_of
from s3export.adapters.reports.documents import REPORT_SCHEMA, unpacked
from s3export.domain.backup_layout import ObjectName
from s3export.domain.errors import InputRefused, NoReport
from s3export.domain.verification import EarlierRun, Outcome, Selection, Selections

Document = Mapping[str, Any]

_GIVE = "give a file that --report FILE.json or --json has written"


def read_report(path: str) -> Document:
    """Read a report that was written as JSON.

    Raises:
        FileRefused: The file cannot be read.
        NoReport: It is another JSON document.
        InputRefused: It is no JSON.
    """
    content = content_of(path, "a report (.json)")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputRefused(f"{path}: not JSON: {error}", next_step=_GIVE) from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != REPORT_SCHEMA:
        raise NoReport(
            f"{path}: not a report of schema {REPORT_SCHEMA}",
            next_step=_GIVE,
        )
    return dict(document)


def earlier_run(path: str) -> EarlierRun:
    """Read what a run needs to go on from an earlier one.

    Raises:
        FileRefused, InputRefused: It is no report, or a damaged one.
    """
    report = read_report(path)
    try:
        sample, device = report["sample"], report["device"]
        started_at = datetime.fromisoformat(report["started_at"])
        if started_at.tzinfo is None:
            raise ValueError("started_at has no time zone")
        return EarlierRun(
            seed=_text(sample["seed"], "surrogateescape"),
            requested=None if sample["requested"] is None else int(sample["requested"]),
            device_path=str(device["path"]),
            serial=str(device["serial"]),
            size_bytes=int(device["size_bytes"]),
            root=str(report["root"]),
            strong=report["required_evidence"] == "strong",
            started_at=started_at,
            selections=selections_of(report),
            service=str(report.get("service") or ""),
            verified=unpacked(report["verified_fingerprints"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise damaged(path, error) from error


def unverifiable_objects(path: str) -> Iterator[ObjectName]:
    """Yield the objects of a report that could not be verified.

    Raises:
        FileRefused, InputRefused: It is no report, or a damaged one.
    """
    report = read_report(path)
    try:
        for finding in report["findings"]:
            if finding["outcome"] == Outcome.UNVERIFIABLE.value and finding["key"]:
                yield ObjectName(_text(finding["bucket"]), _text(finding["key"]))
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, error) from error


def selections_of(report: Document) -> Selections:
    """Return what the disk was compared with.

    Reports of before the directories were told are about backups of their own.
    """
    return tuple(
        Selection(
            str(source["bucket"]),
            str(source["prefix"]),
            str(source["begin_marker"] or ""),
            str(source["end_marker"] or ""),
            str(source.get("directory", "?")),
            tuple(
                (str(each["part"]), str(each["instead"]))
                for each in source.get("substitutions", ())
            ),
        )
        for source in report["sources"]
    )


def _text(value: object, errors: str = "strict") -> str:
    """Return text that can be written; JSON can hold halves of characters."""
    text = str(value)
    text.encode("utf-8", errors)
    return text


def damaged(path: str, error: Exception) -> InputRefused:
    """Return the error for a report whose parts are not what they should be."""
    return InputRefused(
        f"{path}: the report is damaged: {type(error).__name__}: {error}"
    )
