"""Reports as files: JSON, CSV or HTML, by the ending of the name."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from s3export.adapters.reports.documents import finding_document, report_document
from s3export.adapters.reports.html import report_html
from s3export.adapters.whole_files import (
    check_can_be_kept,
    check_writable,
    write_keeping,
)
from s3export.domain.errors import FileRefused
from s3export.domain.ports import ReportWriter
from s3export.domain.verification import Report

COLUMNS = (
    "path",
    "outcome",
    "critical",
    "bucket",
    "key",
    "evidence",
    "expected",
    "actual",
    "size_bytes",
    "detail",
)

_FREE_TEXT = ("path", "bucket", "key", "detail")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell must not begin with, lest a spreadsheet computes it (OWASP, "CSV
Injection"); a quote before it keeps it text."""


class ReportFiles(ReportWriter):
    """Writes a file beside the old one, which is kept, then puts it in its place."""

    def check(self, path: str) -> None:
        """Refuse an unknown ending, or a directory where no file can be made."""
        _form_of(path)
        if Path(path).is_dir():
            raise FileRefused(f"{path} is a directory, not a report")
        check_writable(path)
        check_can_be_kept(path)

    def write(self, report: Report, path: str) -> str | None:
        """Write a report; an older one is named by the time of its last change."""
        text = _form_of(path)(report)
        return write_keeping(path, text.encode("utf-8", "backslashreplace"))


def report_json(report: Report) -> str:
    """Return a report as JSON."""
    return json.dumps(report_document(report), indent=2, ensure_ascii=False) + "\n"


def report_csv(report: Report) -> str:
    """Return a report's findings as CSV: a header, then one line a finding."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS)  # CR LF at a line's end, so either is quoted
    table.writeheader()
    for finding in report.findings:
        row = dict(finding_document(finding))
        for name in _FREE_TEXT:
            row[name] = _harmless(row[name])
        table.writerow({name: row[name] for name in COLUMNS})
    return text.getvalue()


_FORMS: Mapping[str, Callable[[Report], str]] = {
    ".json": report_json,
    ".csv": report_csv,
    ".html": report_html,
}


def _form_of(path: str) -> Callable[[Report], str]:
    ending = Path(path).suffix.lower()
    if ending not in _FORMS:
        raise FileRefused(
            f"{path}: no report has the ending {ending or 'of this name'}",
            next_step=f"choose one of {', '.join(_FORMS)}",
        )
    return _FORMS[ending]


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
