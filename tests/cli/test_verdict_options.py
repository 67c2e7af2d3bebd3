"""What verify-backup can be told besides the disk and the bucket, and its reports."""

import base64
import csv
import hashlib
import html.parser
import importlib.resources
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fixtures.aws_s3 import AwsS3
from fixtures.aws_s3_objects import Stored, Zeros

from s3export.adapters.reports.writing import COLUMNS

Run = Callable[..., Any]
GIB = 1 << 30


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsS3]:
    """A server that answers as AWS does, with the bucket ``b``."""
    with AwsS3() as server:
        server.create_bucket("b")
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield server


@pytest.fixture
def disk(aws: AwsS3, tmp_path: Path) -> Path:
    """A disk on which one file is damaged, one missing, one unverifiable, one odd."""
    root = tmp_path / "disk" / "b"
    root.mkdir(parents=True)
    for name, content in (("a", b"one"), ("bad", b"two"), ("=c<b>", b"three")):
        aws.put("b", name, Stored(content))
        (root / name).write_bytes(content)
    (root / "bad").write_bytes(b"tw0")
    aws.put("b", "kms key,1", Stored(b"hidden", encryption="aws:kms"))
    (root / "kms key,1").write_bytes(b"hidden")
    aws.put("b", "missing", Stored(b"gone"))
    (root / "=extra\u202e").write_bytes(b"?")
    Path(os.fsdecode(bytes(root) + b"/\xff")).write_bytes(b"?")
    return root.parent


@pytest.fixture
def reports(run: Run, disk: Path, tmp_path: Path) -> dict[str, Path]:
    """One run's report in every form."""
    written = {form: tmp_path / f"report.{form}" for form in ("json", "csv", "html")}
    options = [f"--report={path}" for path in written.values()]
    ran = run("verify-backup", str(disk), "--bucket=b", *options)
    assert ran.code == 1
    return written


def schema() -> Any:
    """Return the schema that ships with the package."""
    folder = importlib.resources.files("s3export.adapters.reports")
    return json.loads((folder / "verification-report.schema.json").read_text())


def test_the_json_report_is_what_its_schema_says(reports: dict[str, Path]) -> None:
    """The schema is valid, and so is the report; the digest is that of the findings."""
    report = json.loads(reports["json"].read_text())

    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(report, schema())

    text = json.dumps(report["findings"], sort_keys=True, separators=(",", ":"))
    assert report["findings_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert {f["path"]: f["outcome"] for f in report["findings"]} == {
        "bad": "mismatch",
        "missing": "missing_from_backup",
        "kms key,1": "unverifiable",
        "=extra\u202e": "missing_from_source",
        "\\xff": "missing_from_source",
    }


def test_the_schema_knows_every_field(reports: dict[str, Path]) -> None:
    """A field that is added to the report is added to the schema."""
    report = json.loads(reports["json"].read_text())
    described = schema()

    assert set(report) == set(described["properties"]) == set(described["required"])
    finding = described["$defs"]["finding"]
    where_known = {"place_bytes"}
    assert set(finding["properties"]) - set(finding["required"]) == where_known
    for found in report["findings"]:
        assert set(found) - where_known == set(finding["required"])
    counts = set(described["properties"]["completeness"]["required"])
    assert counts == set(report["completeness"])


def test_the_csv_report_has_a_line_a_finding(reports: dict[str, Path]) -> None:
    """Names that a spreadsheet would compute are text."""
    rows = list(csv.DictReader(io.StringIO(reports["csv"].read_text())))

    assert set(rows[0]) == set(COLUMNS)
    assert len(rows) == 5
    assert rows[0]["path"] == "'=extra\u202e"


class Page(html.parser.HTMLParser):
    """What a browser would see: tags, text, and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_html_report_stands_alone(reports: dict[str, Path]) -> None:
    """Nothing is fetched, no script runs, every finding is there, names are text."""
    text = reports["html"].read_text()
    page = Page()
    page.feed(text)

    assert page.addresses == []
    assert not {"script", "link", "iframe", "b"} & set(page.tags)
    assert "@import" not in text
    assert "url(" not in text
    assert page.tags.count("svg") == 4
    report = json.loads(reports["json"].read_text())
    for shown in ("bad", "missing", "kms key,1", "=extra\\u202e", "\\xff"):
        assert shown in page.text
    assert report["confidence"]["statement"] in page.text
    assert report["findings_sha256"] in page.text
    assert report["sample"]["seed"] in page.text
    assert "DIFFERS" in page.text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("report.pdf", "choose one of .json, .csv, .html"),
        ("report", "choose one of"),
        ("no/such/folder/report.json", "No such file"),
        ("folder.json", "is a directory"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_before_anything_is_read(
    run: Run, aws: AwsS3, disk: Path, tmp_path: Path, name: str, said: str
) -> None:
    """Exit 4, and no request was sent."""
    (tmp_path / "folder.json").mkdir()
    aws.requests.clear()

    ran = run("verify-backup", str(disk), "--bucket=b", f"--report={tmp_path / name}")

    assert ran.code == 4
    assert said in ran.err
    assert aws.requests == []


def test_a_report_that_fails_at_the_end_does_not_cost_the_verdict(
    run: Run, disk: Path, tmp_path: Path
) -> None:
    """What was found is told, the other reports are written, the exit code is kept."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (7_000, limits[1]))
    try:
        ran = run(
            "verify-backup", str(disk), "--bucket=b",
            f"--report={tmp_path / 'a.html'}", f"--report={tmp_path / 'b.json'}",
        )  # fmt: skip
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert ran.code == 1
    assert "DIFFERS" in ran.out
    assert "a.html: File too large" in ran.err
    assert not (tmp_path / "a.html").exists()
    assert json.loads((tmp_path / "b.json").read_text())["verdict"] == "differs"


def test_findings_come_before_the_summary_and_only_once(run: Run, disk: Path) -> None:
    """Each on its line; the tally is the last but two."""
    ran = run("verify-backup", str(disk), "--bucket=b")

    lines = ran.out.splitlines()
    assert sum(line.startswith("MISMATCH: bad") for line in lines) == 1
    assert sum("missing (S3 has it" in line for line in lines) == 1
    assert lines[-3].startswith("Assertions run: 10, succeeded: 6")
    assert lines[-2].startswith("DIFFERS")
    assert "All 5 objects of the selection were looked for: 1 is missing" in lines[-1]


def test_what_was_not_drawn_is_counted_by_itself(run: Run, disk: Path) -> None:
    """The counts of a sample come to what was drawn; those of all need no word."""
    sample = run("verify-backup", str(disk), "--bucket=b", "--sample-size=2")
    every = run("verify-backup", str(disk), "--bucket=b", "--sample-size=all")

    drawn, word, besides = sample.out.partition(
        "Found besides the files that were drawn:\n"
    )
    assert word
    drawn = drawn.partition("Drew 2 of ")[2]
    assert sum(int(line.split()[0]) for line in drawn.splitlines()[1:]) == 2
    assert "  1  missing from backup\n" in besides
    assert word not in every.out
    assert "  1  missing from backup\n" in every.out


def test_a_batch_job_settles_what_could_not_be_verified(
    run: Run, aws: AwsS3, disk: Path, reports: dict[str, Path], tmp_path: Path
) -> None:
    """The manifest names the objects, the completion report is evidence."""
    manifest = run("batch-checksum-manifest", str(reports["json"]))
    assert manifest.out == "b,kms%20key%2C1\n"

    digest = hashlib.sha256(b"hidden").digest()
    value = base64.b64encode(digest).decode()
    etag = Stored(b"hidden", encryption="aws:kms").etag
    message = json.dumps(
        {
            "checksum_base64": value,
            "etag": etag,
            "checksumAlgorithm": "SHA256",
            "checksumType": "FULL_OBJECT",
        }
    )
    completion = tmp_path / "completion.csv"
    with completion.open("w", newline="") as file:
        csv.writer(file).writerow(
            ["b", "kms%20key%2C1", "null", "succeeded", "200", "", message]
        )
    ran = run(
        "verify-backup", str(disk), "--bucket=b", "--json", "--all-findings",
        f"--checksum-report={completion}",
    )  # fmt: skip

    found = {f["path"]: f for f in ran.document()["findings"]}
    assert found["kms key,1"]["outcome"] == "match"
    assert found["kms key,1"]["evidence"] == "sha256"
    assert found["kms key,1"]["detail"] == "by the checksum report"


def test_the_export_log_is_read_from_a_file_or_from_s3(
    run: Run, aws: AwsS3, disk: Path, tmp_path: Path
) -> None:
    """It says why an object is missing, and when the export was."""
    text = (
        "DateTime,File,Status,Code,Key,Checksum\n"
        "Wed Nov 12 11:07:34 PST 2025,,103,Ignored,/b/missing,\n"
    )
    log = tmp_path / "log"
    log.write_text(text)
    aws.create_bucket("logs-bucket")
    aws.put("logs-bucket", "logs/export-log-X", Stored(text.encode()))

    for where in (str(log), "s3://logs-bucket/logs/export-log-X"):
        ran = run(
            "verify-backup", str(disk), "--bucket=b", "--json", f"--export-log={where}"
        )
        document = ran.document()
        found = {f["path"]: f for f in document["findings"]}
        assert document["exported_at"] == {
            "time": "2025-11-12T19:07:34Z",
            "origin": "the export log",
        }
        assert found["missing"]["detail"] == "the export log says 103 Ignored"


def test_a_run_is_gone_on_with_from_its_report(
    run: Run, aws: AwsS3, disk: Path, tmp_path: Path
) -> None:
    """The seed is the report's; what matched is not looked at again."""
    report = tmp_path / "first.json"
    command = ("verify-backup", str(disk), "--bucket=b", "--json")
    first = run(
        *command, "--sample-size=3", f"--report={report}", "--seed=x"
    ).document()

    second = run(*command, "--sample-size=5", f"--resume={report}").document()

    assert second["sample"]["seed"] == "x"
    assert second["sample"]["taken_over"] == first["counts"]["match"] > 0
    again = run(*command, f"--resume={report}").document()
    assert (again["sample"]["requested"], again["sample"]["drawn"]) == (3, 3)
    fewer = run(*command, "--sample-size=2", f"--resume={report}")
    assert fewer.code == 4
    assert "was to draw 3 files, and 2 are asked for" in fewer.err
    assert "say --sample-size 3" in fewer.err
    other = run(*command, "--seed=y", f"--resume={report}")
    assert other.code == 4
    assert "the seed was x, and is y now" in other.err


def test_a_run_over_all_files_leaves_nothing_to_go_on_with(
    run: Run, aws: AwsS3, disk: Path, tmp_path: Path
) -> None:
    """That is said, and not that something had changed."""
    report = tmp_path / "all.json"
    command = ("verify-backup", str(disk), "--bucket=b", "--json")
    run(*command, "--sample-size=all", f"--report={report}")

    (again,) = run(*command, f"--resume={report}").document()["warnings"][-1:]

    assert "left nothing to go on with" in again


def test_a_directory_is_known_by_where_it_is(
    run: Run, aws: AwsS3, disk: Path, tmp_path: Path
) -> None:
    """However it was named: two that are called alike are two, and one is one."""
    link = tmp_path / "link"
    link.symlink_to(disk)

    for name in (f"{disk}/", str(link), os.path.relpath(disk)):
        document = run("verify-backup", name, "--bucket=b", "--json").document()

        assert document["device"]["path"] == str(disk.resolve())


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"schema": "other"}', "\x00" * 100]
)
def test_what_is_no_report_is_refused(
    run: Run, disk: Path, tmp_path: Path, content: str
) -> None:
    """Exit 4, naming the file, for both commands that read one."""
    path = tmp_path / "odd.json"
    path.write_text(content)

    for command in (
        ("verify-backup", str(disk), "--bucket=b", f"--resume={path}"),
        ("batch-checksum-manifest", str(path)),
    ):
        ran = run(*command)
        assert ran.code == 4
        assert "odd.json" in ran.err


def test_a_damaged_report_is_refused(
    run: Run, disk: Path, reports: dict[str, Path], tmp_path: Path
) -> None:
    """Whatever is missing or of another kind is no trace, but an error."""
    whole = json.loads(reports["json"].read_text())
    for name in ("sample", "device", "sources", "verified_fingerprints"):
        for value in (None, 7, "x", [7], {"a": 1}):
            broken = tmp_path / "broken.json"
            broken.write_text(json.dumps({**whole, name: value}))
            ran = run("verify-backup", str(disk), "--bucket=b", f"--resume={broken}")
            assert ran.code == 4, (name, value)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("sample", "seed"), "\ud800"),
        (("started_at",), "2026-01-02T03:04:05"),
        (("root",), [[]]),
    ],
)
def test_a_report_that_says_what_cannot_be_is_refused(
    run: Run,
    disk: Path,
    reports: dict[str, Path],
    tmp_path: Path,
    place: tuple[str, ...],
    value: object,
) -> None:
    """Of the right kind, and still nothing to go on from."""
    whole = json.loads(reports["json"].read_text())
    part = whole
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(whole))

    ran = run("verify-backup", str(disk), "--bucket=b", f"--resume={broken}")

    assert ran.code == 4, ran.err
    assert "broken.json" in ran.err or "cannot be gone on with" in ran.err


def test_a_report_with_a_key_that_is_no_text_is_refused(
    run: Run, reports: dict[str, Path], tmp_path: Path
) -> None:
    """JSON can write half a character; no key of S3 can have it."""
    whole = json.loads(reports["json"].read_text())
    for finding in whole["findings"]:
        finding["key"] = "\ud800"
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(whole))

    ran = run("batch-checksum-manifest", str(broken))

    assert ran.code == 4, ran.err
    assert "broken.json" in ran.err


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--exported-at=yesterday"], 2, "--exported-at"),
        (["--max-differing=0"], 2, "a share such as 0.1%"),
        (["--max-differing=x%"], 2, "a share such as 0.1%"),
        (["--max-differing=1%", "--sample-size=5"], 2, "not allowed with"),
        (["--download-budget=lots"], 2, "a size such as 500MB"),
        (["--require=some"], 2, "--require"),
        (["--export-log=/no/such"], 4, "/no/such: there is no such file"),
        (["--max-differing=1"], 2, "below 100%"),
        (["--max-differing=100%"], 2, "below 100%"),
        (["--export-log=/dev/null"], 4, "/dev/null is a device, not an export log"),
        (["--export-log=s3://b"], 4, "names no object"),
        (["--export-log=s3://b/none"], 6, "s3://b/none"),
        (["--checksum-report=/no/such"], 4, "/no/such: there is no such file"),
        (["--checksum-report=/etc/passwd"], 4, "columns"),
    ],
)
def test_what_cannot_be_used_is_named(
    run: Run, disk: Path, options: list[str], code: int, said: str
) -> None:
    """One clear error, before anything is read."""
    ran = run("verify-backup", str(disk), "--bucket=b", *options)

    assert ran.code == code
    assert said in ran.err
    assert "MISMATCH" not in ran.out


def test_the_size_of_a_sample_needs_no_disk(run: Run) -> None:
    """plan-sample answers from the numbers alone."""
    ran = run(
        "plan-sample", "--files=123,456", "--max-differing=0.1%", "--confidence=0.99"
    )

    assert ran.code == 0
    assert "Draw 4,499 of 123,456 files" in ran.out
    assert run("plan-sample", "--files=-1", "--max-differing=1%").code == 2


def test_objects_that_are_newer_than_the_given_time_may_differ(
    run: Run, aws: AwsS3, disk: Path
) -> None:
    """``--exported-at`` is a day or a time; without a zone it is UTC."""
    (disk / "b" / "edited").write_bytes(b"before")
    aws.put(
        "b", "edited", Stored(b"after!", modified_at=datetime(2026, 5, 2, tzinfo=UTC))
    )

    def outcome(moment: str) -> str:
        ran = run(
            "verify-backup",
            str(disk),
            "--bucket=b",
            "--json",
            f"--exported-at={moment}",
        )
        found = {f["path"]: f["outcome"] for f in ran.document()["findings"]}
        return str(found["edited"])

    assert outcome("2026-05-01") == "changed_since_export"
    assert outcome("2026-05-01T23:59:59+00:00") == "changed_since_export"
    assert outcome("2026-05-02T01:00:00+01:00") == "mismatch"
    assert outcome("2026-05-02T00:00:00Z") == "mismatch"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_an_interrupted_run_writes_what_it_found(
    aws: AwsS3, disk: Path, tmp_path: Path, number: int, code: int
) -> None:
    """The partial report says so, is valid, and verifies nothing."""
    size = 64 * GIB
    aws.put("b", "huge", Stored(Zeros(size), part_sizes=(GIB,) * 64))
    with (disk / "b" / "huge").open("wb") as file:
        file.truncate(size)
    report = tmp_path / "partial.json"
    command = [
        sys.executable,
        "-m",
        "s3export",
        "verify-backup",
        str(disk),
        "--bucket=b",
    ]
    with subprocess.Popen(
        [*command, "--forks=1", "--json", f"--report={report}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        deadline = time.monotonic() + 60
        while not any("partNumber" in path for _, path in aws.requests):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        child.send_signal(number)
        out, err = child.communicate(timeout=60)

    assert child.returncode == code
    partial = json.loads(report.read_text())
    jsonschema.validate(partial, schema())
    assert json.loads(out)["findings"] == partial["findings"]
    name = signal.Signals(number).name
    assert partial["cut_short"] == f"interrupted ({name})"
    assert partial["verdict"] != "verified"
    assert partial["sample"]["compared"] < partial["sample"]["drawn"]
    assert "--resume" in err


def test_a_time_that_equal_files_contradict_leaves_a_doubt(
    run: Run, aws: AwsS3, tmp_path: Path
) -> None:
    """A mistyped year does not turn damage into a verified backup."""
    root = tmp_path / "other" / "b"
    root.mkdir(parents=True)
    for name in ("a", "z"):
        aws.put("b", name, Stored(b"content"))
        (root / name).write_bytes(b"content")
    (root / "z").write_bytes(b"damaged")

    ran = run(
        "verify-backup", str(root.parent), "--bucket=b", "--exported-at=2016-01-01"
    )

    assert ran.code == 3
    assert "1 file equals an object of the same name that is newer" in ran.out
    assert "2016-01-01" in ran.out


def test_a_report_is_not_written_into_the_backup(run: Run, disk: Path) -> None:
    """Nothing of what is verified is touched, not even by wish."""
    ran = run("verify-backup", str(disk), "--bucket=b", f"--report={disk}/b/x.json")

    assert ran.code == 4
    assert "lies in the backup" in ran.err
    assert not (disk / "b" / "x.json").exists()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--confidence=95%", "a number between 0 and 1"),
        ("--exported-at=yesterday", "a day or a time, such as 2026-01-31"),
        ("--forks=many", "a number from 1 to 1024"),
        ("--pim=x", "a number from 0 to"),
    ],
)
def test_wrong_values_are_met_with_what_is_expected(
    run: Run, disk: Path, option: str, said: str
) -> None:
    """In the operator's words, not the program's."""
    ran = run("verify-backup", str(disk), "--bucket=b", option)

    assert ran.code == 2
    assert said in ran.err
    assert "_" not in ran.err.splitlines()[-1].replace("verify_backup", "")


def test_a_buckets_address_is_not_its_name(run: Run, disk: Path) -> None:
    """Exit 4, before AWS is asked."""
    ran = run("verify-backup", str(disk), "--bucket=s3://b")

    assert ran.code == 4
    assert "is not a bucket's name" in ran.err


def test_an_empty_password_is_a_mistake(run: Run, disk: Path, tmp_path: Path) -> None:
    """It opens nothing that anybody made."""
    empty = tmp_path / "empty"
    empty.write_bytes(b"\n")

    ran = run("verify-backup", str(disk), "--bucket=b", f"--password-file={empty}")

    assert ran.code == 4
    assert "is empty" in ran.err
    assert f"next: write the password into the first line of {empty}\n" in ran.err
