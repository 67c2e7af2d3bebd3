"""``history``: what reports of many runs say together."""

import json
from pathlib import Path
from typing import Any

import pytest
from fixtures.command_line import Run


@pytest.fixture
def sound(s3: Any, tmp_path: Path) -> Path:
    """A backup of forty files that equals its bucket."""
    s3.create_bucket(Bucket="sound")
    for number in range(40):
        s3.put_object(Bucket="sound", Key=f"{number:02}", Body=b"%d" % number)
        path = tmp_path / "disk" / "sound" / f"{number:02}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    return tmp_path / "disk"


@pytest.fixture
def reports(run: Run, sound: Path, tmp_path: Path) -> Path:
    """Three runs over it, with seeds of their own."""
    folder = tmp_path / "reports"
    folder.mkdir()
    for name in "abc":
        ran = run(
            *("verify-backup", str(sound), "--bucket", "sound", "--sample-size", "10"),
            *("--seed", name, "--report", str(folder / f"{name}.json")),
        )
        assert ran.code == 0, ran.out + ran.err
    return folder


def test_runs_of_the_program_are_put_together(run: Run, reports: Path) -> None:
    """A directory of reports is read, and proves more than each of them."""
    ran = run("history", str(reports), "--json")

    document = ran.document()
    assert ran.code == 0
    (backup,) = document["backups"]
    alone = {run["max_differing_files"] for run in backup["runs"]}
    assert [run["counted"] for run in backup["runs"]] == [True] * 3
    assert backup["buckets"] == ["sound"]
    assert backup["confidence"]["max_differing_files"] < min(alone)
    text = run("history", str(reports)).out
    assert backup["confidence"]["statement"] in text
    assert text.count("VERIFIED") == 3


def test_a_difference_is_shown_first_and_ends_with_1(
    run: Run, reports: Path, sound: Path
) -> None:
    """There is no bound over it, and the exit code is that of a difference."""
    (sound / "sound" / "07").write_bytes(b"8")
    ran = run(
        *("verify-backup", str(sound), "--bucket", "sound", "--sample-size", "all"),
        *("--report", str(reports / "d.json")),
    )
    assert ran.code == 1

    told = run("history", str(reports))

    assert told.code == 1
    runs = [line for line in told.out.splitlines() if "drawn are equal" in line]
    assert ["DIFFERS" in line for line in runs] == [True, False, False, False], told.out
    assert "No bound: 1 run found differences" in told.out
    assert "1 critical difference " in told.out
    assert "Differences are critical findings alone" in told.out


def test_findings_that_are_not_critical_are_told_apart_from_differences(
    run: Run, reports: Path, sound: Path
) -> None:
    """They are counted, and the exit code is not that of a difference."""
    assert "critical" not in run("history", str(reports)).out
    (sound / "sound" / "added").write_bytes(b"1")
    run(
        *("verify-backup", str(sound), "--bucket", "sound", "--sample-size", "all"),
        *("--report", str(reports / "d.json")),
    )

    told = run("history", str(reports))
    document = run("history", str(reports), "--json").document()

    assert told.code == 0
    assert ", 1 other finding " in told.out
    assert "Other findings are none: what changed in S3" in told.out
    runs = [run for part in document["backups"] for run in part["runs"]]
    assert sum(run["other_findings"] for run in runs) == 1
    assert sum(run["differences"] for run in runs) == 0


def test_a_report_that_was_changed_is_refused(run: Run, reports: Path) -> None:
    """By what it says of its findings, and by numbers that do not fit together."""
    path = reports / "a.json"
    document = json.loads(path.read_text())
    changes: list[dict[str, object]] = [
        {"findings": [{"path": "x"}]},
        {"counts": {**document["counts"], "match": 11}},
        {"counts": {**document["counts"], "match": -1}},
        {"counts": {**document["counts"], "mismatch": 1}},
        {"sample": {**document["sample"], "taken_over": 11}},
        {"sample": {**document["sample"], "population": "40"}},
        {"started_at": "2026-01-01T00:00:00"},
        {"verdict": "excellent"},
        {"device": None},
        {"profile": {"population": {"files_by_size_up_to": []}}},
        {"confidence": {**document["confidence"], "level": 2.0}},
    ]
    for change in changes:
        path.write_text(json.dumps({**document, **change}))

        ran = run("history", str(path))

        assert ran.code == 4, change
        assert f"{path}: the report is damaged" in ran.err


def test_a_report_of_before_directories_were_told_counts_by_itself(
    run: Run, reports: Path
) -> None:
    """Nobody knows whether it was about the same, so it is about another backup."""
    path = reports / "a.json"
    document = json.loads(path.read_text())
    del document["service"], document["sources"][0]["directory"]
    del document["sources"][0]["substitutions"]
    path.write_text(json.dumps(document))

    ran = run("history", str(reports))

    assert ran.code == 0
    assert "\n  s3://sound/ in /?\n" in ran.out
    assert "\n  s3://sound/ in /sound of http://127.0.0.1:" in ran.out
    parts = run("history", str(reports), "--json").document()["backups"]
    assert sorted(len(part["runs"]) for part in parts) == [1, 2]


def test_another_document_among_the_reports_is_passed_over(
    run: Run, reports: Path
) -> None:
    """With a warning, as one cut off; named itself, or all alone, it is refused."""
    before = run("history", str(reports))
    other = reports / "other.json"
    other.write_text('{"schema": "of something else"}')

    among = run("history", str(reports))

    assert (among.code, among.out) == (before.code, before.out)
    assert f"passed over: {other} is no report" in among.err
    assert run("history", str(other)).code == 4
    for damaged in ('{"schema": "s3export/ver', ""):
        other.write_text(damaged)
        among = run("history", str(reports))
        assert (among.code, among.out) == (before.code, before.out)
        assert f"passed over: {other}: not JSON" in among.err
    for report in reports.glob("*.json"):
        if report != other:
            report.unlink()
    alone = run("history", str(reports))
    assert (alone.code, "there is no report in it" in alone.err) == (4, True)
    cut_off = run("history", str(other))
    assert (cut_off.code, "not JSON" in cut_off.err) == (4, True)


@pytest.mark.parametrize(
    ("name", "said"),
    [("absent.json", "no such file"), (".", "there is no report in it")],
)
def test_where_there_is_no_report_it_is_said(
    run: Run, tmp_path: Path, name: str, said: str
) -> None:
    """With the place."""
    ran = run("history", str(tmp_path / name))

    assert ran.code == 4
    assert said in ran.err
    assert str(tmp_path) in ran.err
