"""What every `ReportWriter` does."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Protocol

import pytest
from samples import disk_facts

from s3export.domain.backup_layout import Source, TreePath
from s3export.domain.confidence import upper_bound
from s3export.domain.errors import FileRefused
from s3export.domain.ports import ReportWriter
from s3export.domain.verification import Finding, Outcome, Report, Sample, Tally

FORMS = ("a.json", "b.csv", "c.html", "D.JSON", "e.f.csv")
NO_FORMS = ("report", "report.pdf", "report.json.gz", "report.", ".json", "")


def report_of(*findings: Finding, seed: str = "seed") -> Report:
    """Return the report of a verification that found this."""
    count = len(findings)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Report(
        device=disk_facts(),
        opened_read_only=True,
        container=None,
        root=TreePath(b"bkt"),
        sources=(Source("bkt", TreePath(b"bkt")),),
        sample=Sample(seed, None, count, count, count),
        tally=Tally(findings),
        bound=upper_bound(count, count, 0, 0.95),
        findings=findings,
        requests={},
        bytes_read=0,
        bytes_downloaded=0,
        started_at=moment,
        finished_at=moment,
        version="1",
    )


def finding(path: bytes, key: str = "k", detail: str = "") -> Finding:
    """Return a finding about a path."""
    return Finding(
        TreePath(path), Outcome.MISMATCH, bucket="bkt", key=key, detail=detail
    )


class ArrangedReports(Protocol):
    """A writer, and a place where it can write."""

    reports: ReportWriter

    def path(self, name: str) -> str:
        """Return the path of a report of that name."""

    def names(self) -> Sequence[str]:
        """Return the names of all that is there, sorted."""

    def content(self, name: str) -> object:
        """Return what is there; equal for what is equal."""


class ReportWriterContract:
    """Subclass it with a fixture ``arranged``."""

    @pytest.mark.parametrize("name", FORMS)
    def test_a_report_is_written_where_it_was_said(
        self, arranged: ArrangedReports, name: str
    ) -> None:
        """In each form, by the last ending, in capitals or not; nothing beside it."""
        arranged.reports.check(arranged.path(name))
        assert arranged.names() == []

        assert arranged.reports.write(report_of(), arranged.path(name)) is None

        assert arranged.names() == [name]

    @pytest.mark.parametrize("name", FORMS)
    def test_a_report_takes_the_name_of_an_older_one_which_is_kept(
        self, arranged: ArrangedReports, name: str
    ) -> None:
        """Each older one is kept, under the name that is told; a check moves none."""
        path = arranged.path(name)
        arranged.reports.write(report_of(), arranged.path("other.html"))
        arranged.reports.write(report_of(finding(b"one")), path)
        older, other = arranged.content(name), arranged.content("other.html")
        arranged.reports.check(path)
        assert arranged.content(name) == older

        kept = arranged.reports.write(report_of(finding(b"two")), path)
        second = arranged.content(name)
        again = arranged.reports.write(report_of(finding(b"three")), path)

        assert kept and again
        assert arranged.content(PurePath(kept).name) == older
        assert arranged.content(PurePath(again).name) == second != older
        assert arranged.content(name) not in (older, second)
        assert arranged.content("other.html") == other
        names = [name, "other.html", PurePath(kept).name, PurePath(again).name]
        assert arranged.names() == sorted(names)
        assert {PurePath(p).suffix for p in (kept, again)} == {PurePath(name).suffix}

    @pytest.mark.parametrize("name", NO_FORMS)
    def test_an_unknown_ending_is_refused(
        self, arranged: ArrangedReports, name: str
    ) -> None:
        """Before the work and after it; a name that is all ending has none."""
        path = arranged.path(name) if name else name
        with pytest.raises(FileRefused):
            arranged.reports.check(path)
        with pytest.raises(FileRefused):
            arranged.reports.write(report_of(), path)

        assert arranged.names() == []
