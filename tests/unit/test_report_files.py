"""Reports as files: whole or not there, and readable by what reads their form."""

import csv
import errno
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from contracts.report_writer_contract import (
    ReportWriterContract,
    finding,
    report_of,
)
from hypothesis import example, given
from hypothesis import strategies as st
from report_samples import report
from strategies import SETTINGS, keys, paths

from s3export.adapters.reports.html import report_html
from s3export.adapters.reports.writing import ReportFiles, report_csv, report_json
from s3export.domain.backup_layout import shown
from s3export.domain.errors import FileRefused
from s3export.domain.ports import ReportWriter
from s3export.domain.sizes import size
from s3export.domain.verification import Outcome


@dataclass
class Folder:
    folder: Path
    reports: ReportWriter

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def names(self) -> Sequence[str]:
        return sorted(entry.name for entry in self.folder.iterdir())

    def content(self, name: str) -> object:
        return (self.folder / name).read_bytes()


@pytest.fixture
def arranged(tmp_path: Path) -> Folder:
    folder = tmp_path / "reports"
    folder.mkdir()
    return Folder(folder, ReportFiles())


class TestReportFiles(ReportWriterContract):
    """The fixture is the one above."""


def fail(*_: object) -> None:
    """Fail as a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("name", ["absent/r.json", "file/r.json", "r\0.json"])
@pytest.mark.parametrize("call", [ReportFiles.check, None])
def test_where_nothing_can_be_written_is_refused(
    arranged: Folder, name: str, call: Callable[[ReportFiles, str], None] | None
) -> None:
    """Before the work, so that none is lost: no directory, a file in its place."""
    (arranged.folder / "file").write_text("kept")

    with pytest.raises(FileRefused, match=r"r.*\.json"):
        if call:
            call(ReportFiles(), arranged.path(name))
        else:
            arranged.reports.write(report_of(), arranged.path(name))

    assert arranged.names() == ["file"]
    assert arranged.content("file") == b"kept"


def test_a_directory_is_not_replaced(arranged: Folder) -> None:
    """Even if it is empty, and named like a report."""
    (arranged.folder / "r.json").mkdir()

    with pytest.raises(FileRefused, match="is a directory"):
        arranged.reports.check(arranged.path("r.json"))
    with pytest.raises(FileRefused):
        arranged.reports.write(report_of(), arranged.path("r.json"))

    assert arranged.names() == ["r.json"]
    assert (arranged.folder / "r.json").is_dir()


@pytest.mark.parametrize("target", ["os.fsync", "pathlib.Path.replace"])
@pytest.mark.parametrize("name", ["r.json", "r.csv", "r.html"])
def test_after_a_failure_the_old_report_is_whole(
    arranged: Folder, monkeypatch: pytest.MonkeyPatch, target: str, name: str
) -> None:
    """Nothing else is left in the directory, and the reason is told."""
    arranged.reports.write(report_of(finding(b"old")), arranged.path(name))
    old = arranged.content(name)
    monkeypatch.setattr(target, fail)

    with pytest.raises(FileRefused, match="No space left"):
        arranged.reports.write(report_of(finding(b"new")), arranged.path(name))

    assert arranged.content(name) == old
    assert arranged.names() == [name]


def test_an_older_report_is_kept_under_the_time_of_its_last_change(
    arranged: Folder,
) -> None:
    """No file that has this name already is replaced; an empty file is not kept."""
    old, content = arranged.folder / "r.s.json", b"older"
    for taken in ("r.s.2026-11-29T061540Z.json", "r.s.2026-11-29T061540Z-2.json"):
        (arranged.folder / taken).write_bytes(b"taken")
    old.write_bytes(content)
    old.chmod(0o600)
    os.utime(old, (1, datetime(2026, 11, 29, 6, 15, 40, tzinfo=UTC).timestamp()))
    changed = old.stat().st_mtime

    kept = arranged.reports.write(report_of(), str(old))

    assert kept == arranged.path("r.s.2026-11-29T061540Z-3.json")
    assert Path(kept).read_bytes() == content
    assert Path(kept).stat().st_mtime == changed
    assert Path(kept).stat().st_mode & 0o777 == 0o600
    assert arranged.content("r.s.2026-11-29T061540Z.json") == b"taken"
    (arranged.folder / "empty.html").touch()
    assert arranged.reports.write(report_of(), arranged.path("empty.html")) is None


def test_a_report_gets_its_name_when_it_is_complete(
    arranged: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And has reached the disk by then."""
    seen: list[tuple[str, list[str]]] = []
    fsync, replace = os.fsync, Path.replace

    def synced(number: int) -> None:
        seen.append(("synced", list(arranged.names())))
        fsync(number)

    def replaced(self: Path, target: str) -> Path:
        json.loads(self.read_bytes())
        seen.append(("replaced", list(arranged.names())))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)

    arranged.reports.write(report_of(), arranged.path("r.json"))

    assert [what for what, _ in seen] == ["synced", "replaced"]
    assert not any("r.json" in names for _, names in seen)
    assert arranged.names() == ["r.json"]


def test_a_name_without_a_directory_is_in_the_current_one(
    arranged: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As operators write it."""
    monkeypatch.chdir(arranged.folder)
    arranged.reports.check("r.csv")
    arranged.reports.write(report_of(), "r.csv")

    assert arranged.names() == ["r.csv"]


AWKWARD = (b"a\rb", b"a\nb", b"a\r\nb", b'a"b', b"a,b", b"\xff", b"=1+1", b"-1", b"@a")


def rows(text: str) -> Iterator[dict[str, str]]:
    """Read a report in CSV."""
    return csv.DictReader(io.StringIO(text, newline=""))


@given(st.lists(st.tuples(paths, keys.filter(bool), st.text()), max_size=5))
@example([(path, path.decode("latin-1"), "\r") for path in AWKWARD])
@SETTINGS
def test_a_report_in_csv_has_a_line_for_each_finding(
    found: list[tuple[bytes, str, str]],
) -> None:
    """Whatever paths, keys and details hold; no cell begins as a formula does."""
    findings = [finding(*one) for one in found]

    told = list(rows(report_csv(report_of(*findings))))

    assert [row["path"].removeprefix("'") for row in told] == [
        shown(path).removeprefix("'") for path, _, _ in found
    ]
    for row, (_, key, detail) in zip(told, found, strict=True):
        assert row["key"] in (key, f"'{key}")
        assert row["detail"] in (detail, f"'{detail}")
        assert not any(row[name][:1] in set("=+-@\t\r") - {""} for name in row)


@given(st.lists(st.tuples(paths, keys.filter(bool)), max_size=5))
@SETTINGS
def test_a_report_in_json_has_every_finding(found: list[tuple[bytes, str]]) -> None:
    """Keys as they are, paths as they are shown."""
    text = report_json(report_of(*(finding(*one) for one in found)))

    told = json.loads(text.encode())["findings"]

    assert [(one["path"], one["key"]) for one in told] == [
        (shown(path), key) for path, key in found
    ]


def test_the_page_tells_sizes_as_the_terminal_does() -> None:
    """In the decimal units of disks' labels."""
    page = report_html(report(0))

    assert size(12345678901) == "12.3 GB"
    assert "<dd>12.3 GB</dd>" in page
    assert "below 65.5 kB" in page
    assert not re.search("[KMGT]iB", page)


def test_the_page_shows_where_on_the_disk_damage_lies() -> None:
    """In sections of one width, the sound ones included; if any is known."""
    damaged = [
        replace(
            finding(f"f{n}".encode()),
            outcome=Outcome.UNREADABLE,
            place_bytes=None if n == 3 else 15_000_000 + n,
        )
        for n in range(4)
    ]
    page = report_html(replace(report(0), findings=tuple(damaged)))
    unknown = report_html(replace(report(0), findings=(damaged[3],)))

    assert "known of 3 of 4" in " ".join(page.split())
    assert "Unreadable files by place on the disk" in page
    assert "0 bytes to 937.5 kB" in page
    assert "14.1 MB to 15.0 MB" in page
    assert "Unreadable files by folder" in unknown
    assert "by place" not in unknown
