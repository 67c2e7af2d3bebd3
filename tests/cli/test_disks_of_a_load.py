"""verify-backup on disks that say themselves what was loaded, over a real server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s3export.domain.backup_layout import Source, TreePath
from s3export.domain.export_log import LogEntry, write_export_log
from s3export.domain.load_selection import LoadSelection

Run = Callable[..., Any]


@pytest.fixture
def disk(s3: Any, tmp_path: Path) -> Path:
    """The first of two disks: two objects on it, one recovered; one on the next."""
    s3.create_bucket(Bucket="loaded")
    for key in ("a//b", "c", "d"):
        s3.put_object(Bucket="loaded", Key=key, Body=key.encode())
    (tmp_path / "loaded").mkdir()
    (tmp_path / "loaded" / "c").write_bytes(b"c")
    recovered = tmp_path / "EXPORT-RECOVERY" / "0000"
    recovered.mkdir(parents=True)
    (recovered / "0000").write_bytes(b"a//b")
    places = {"a//b": b"EXPORT-RECOVERY/0000/0000", "c": b"loaded/c"}
    entries = [
        LogEntry(None, "loaded", key, TreePath(path), 200, "OK", "")
        for key, path in places.items()
    ]
    whole = LoadSelection("LOAD1", (Source("loaded", TreePath(b"loaded")),))
    notes = tmp_path / "S3EXPORT"
    notes.mkdir()
    (notes / "export-log-LOAD1").write_bytes(write_export_log(entries))
    (notes / "selection.json").write_bytes(whole.up_to(0, "c").to_json())
    return tmp_path


def test_the_disk_alone_suffices(run: Run, disk: Path) -> None:
    """Neither bucket nor manifest nor log are named; the summary says who says it."""
    ran = run("verify-backup", str(disk))

    assert ran.code == 0
    assert "Export log: /S3EXPORT/export-log-LOAD1 on the disk" in ran.out
    assert "of job LOAD1, says /S3EXPORT/selection.json, nobody else" in ran.out
    said = "warning: that it should equal s3://loaded/ up to c is the disk's own word"
    assert said in ran.err
    (disk / "EXPORT-RECOVERY" / "0000" / "0000").write_bytes(b"a//B")
    assert run("verify-backup", str(disk)).code == 1


def test_a_part_of_what_is_named_is_told(run: Run, disk: Path, tmp_path: Path) -> None:
    """In the summary and in every report; --whole looks for all."""
    page = tmp_path.parent / "verdict.html"
    command = ("verify-backup", str(disk), "--bucket=loaded", f"--report={page}")
    ran = run(*command)
    report = run(*command, "--json").document()
    whole = run(*command, "--whole", "--json")

    assert ran.code == 0
    said = "the part of job LOAD1 up to s3://loaded/c, says /S3EXPORT/selection.json"
    assert said in ran.out
    assert report["selection"] == {
        "path": "/S3EXPORT/selection.json",
        "job_id": "LOAD1",
        "named": True,
        "part": "up to s3://loaded/c",
    }
    assert report["export_log"] == {
        "path": "/S3EXPORT/export-log-LOAD1",
        "origin": "disk",
    }
    assert report["sources"][0]["end_marker"] == "c"
    assert whole.code == 1
    assert [f["key"] for f in whole.document()["findings"]] == ["d"]
    assert whole.document()["selection"] is None


def test_the_page_says_what_the_disk_said(run: Run, disk: Path, tmp_path: Path) -> None:
    """Both the log and the selection."""
    page = tmp_path.parent / "verdict.html"

    run("verify-backup", str(disk), f"--report={page}")
    alone = page.read_text()
    run("verify-backup", str(disk), "--bucket=loaded", f"--report={page}")
    named = page.read_text()

    assert "nobody but the disk says it" in alone
    assert "a part of what was named, up to s3://loaded/c" in named
    assert "export-log-LOAD1 on the disk, which is its own word" in named


@pytest.mark.parametrize("where", ["file", "s3"])
def test_a_log_that_is_named_is_told_with_its_origin(
    run: Run, s3: Any, disk: Path, tmp_path: Path, where: str
) -> None:
    """It is used in place of the disk's."""
    content = (disk / "S3EXPORT" / "export-log-LOAD1").read_bytes()
    path = str(tmp_path.parent / "log.csv")
    Path(path).write_bytes(content)
    if where == "s3":
        s3.create_bucket(Bucket="logs")
        s3.put_object(Bucket="logs", Key="log.csv", Body=content)
        path = "s3://logs/log.csv"

    ran = run("verify-backup", str(disk), f"--export-log={path}", "--json")

    assert ran.document()["export_log"] == {"path": path, "origin": where}


def test_a_later_run_goes_on_with_the_same_part(
    run: Run, disk: Path, tmp_path: Path
) -> None:
    """What was compared is what the disk says, in both runs."""
    report = tmp_path.parent / "first.json"
    command = ("verify-backup", str(disk), "--bucket=loaded", "--sample-size=1")
    first = run(*command, f"--report={report}", "--seed=s")

    again = run(*command, f"--resume={report}", "--json")

    assert (first.code, again.code) == (0, 0)
    assert json.loads(report.read_text())["sources"] == again.document()["sources"]


def test_a_selection_that_is_nonsense_is_refused(run: Run, disk: Path) -> None:
    """Exit 4, with what is wrong and what to name."""
    (disk / "S3EXPORT" / "selection.json").write_text("{}")

    ran = run("verify-backup", str(disk))

    assert ran.code == 4
    assert "/S3EXPORT/selection.json: its schema is not s3export/load/1" in ran.err
    assert "--bucket" in ran.err
