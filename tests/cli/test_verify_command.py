"""verify-backup as scripts and people call it, over a directory and a real server."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s3export.adapters.input_files import content_of
from s3export.adapters.reports.documents import REPORT_SCHEMA
from s3export.domain.backup_layout import TreePath
from s3export.domain.verification import Finding, Outcome
from s3export.entrypoints.cli.terminal import harmless
from s3export.entrypoints.cli.wording import finding_line
from s3export.entrypoints.sandbox.contents import put_in_parts

Run = Callable[..., Any]
MIB = 1 << 20


def test_the_originals_example_gives_the_originals_line(run: Run, backup: Path) -> None:
    """Seven assertions, five true: the line that old scripts look for."""
    ran = run("verify-backup", str(backup), "--bucket", "my-bucket")

    assert "Assertions run: 7, succeeded: 5, failed: 2\n" in ran.out
    assert ran.code == 1


def test_the_report_has_the_contracts_shape(run: Run, backup: Path) -> None:
    """One JSON document on standard output, with every field of the contract."""
    ran = run(
        "verify-backup", str(backup), "--bucket=my-bucket", "--json", "--seed", "s"
    )
    report = ran.document()

    assert report["schema"] == REPORT_SCHEMA
    assert report["verdict"] == "differs"
    assert set(report["device"]) == {
        "path",
        "serial",
        "model",
        "size_bytes",
        "opened_read_only",
    }
    assert report["root"] == "/my-bucket"
    assert report["sources"] == [
        {
            "bucket": "my-bucket",
            "prefix": "",
            "begin_marker": None,
            "end_marker": None,
            "directory": "my-bucket",
            "substitutions": [],
        }
    ]
    assert report["service"].startswith("http://127.0.0.1:")
    assert report["sample"] == {
        "seed": "s",
        "requested": 100,
        "drawn": 4,
        "compared": 4,
        "taken_over": 0,
        "population": 4,
        "population_bytes": 15,
    }
    assert report["assertions"] == {"run": 7, "succeeded": 5, "failed": 2}
    assert report["counts"]["match"] == 2
    assert sum(report["counts"].values()) == 4
    assert [(f["path"], f["outcome"]) for f in report["findings"]] == [
        ("bar/bar", "missing_from_source"),
        ("bar/foo", "mismatch"),
    ]
    assert set(report["findings"][0]) == {
        "path",
        "bucket",
        "key",
        "outcome",
        "critical",
        "evidence",
        "expected",
        "actual",
        "size_bytes",
        "detail",
    }
    bucket, differing = 1, 1
    assert report["requests"] == {"HEAD": bucket + differing, "LIST": 1, "GET": 0}
    assert report["bytes_downloaded"] == 0
    assert report["started_at"].endswith("Z")


def test_all_findings_show_what_matched_too(run: Run, backup: Path) -> None:
    """``--all-findings`` lists every file that was looked at, with its evidence."""
    ran = run(
        "verify-backup", str(backup), "--bucket=my-bucket", "--all-findings", "--json"
    )

    by_path = {f["path"]: f for f in ran.document()["findings"]}
    assert len(by_path) == 4
    assert by_path["foo/foo"]["evidence"] == "etag-md5"


def test_damage_in_single_and_multipart_files_is_found_and_nothing_else(
    run: Run, s3: Any, tmp_path: Path
) -> None:
    """One flipped bit in each kind, one object deleted, one file added: four rows."""
    s3.create_bucket(Bucket="kinds")
    root = tmp_path / "kinds"
    root.mkdir()
    small = {f"f{n:02}": bytes([n]) * n for n in range(30)}
    for key, body in small.items():
        s3.put_object(Bucket="kinds", Key=key, Body=body)
        (root / key).write_bytes(body)
    big = {"even": (5 * MIB, 5 * MIB, MIB), "uneven": (5 * MIB, 6 * MIB, MIB)}
    for key, sizes in big.items():
        body = key.encode() * (sum(sizes) // len(key) + 1)
        body = body[: sum(sizes)]
        put_in_parts(s3, "kinds", key, body, sizes)
        (root / key).write_bytes(body)
    command = ("verify-backup", str(tmp_path), "--bucket=kinds", "--sample-size=all")
    assert run(*command).code == 0

    for key in ("f20", "uneven"):
        content = bytearray((root / key).read_bytes())
        content[len(content) // 2] ^= 1
        (root / key).write_bytes(content)
    s3.delete_object(Bucket="kinds", Key="f03")
    (root / "added").write_bytes(b"x")
    ran = run(*command, "--json")

    assert ran.code == 1
    assert {f["path"]: f["outcome"] for f in ran.document()["findings"]} == {
        "added": "missing_from_source",
        "f03": "missing_from_source",
        "f20": "mismatch",
        "uneven": "mismatch",
    }


def test_names_of_every_kind_are_matched_or_reported_with_a_reason(
    run: Run, s3: Any, tmp_path: Path
) -> None:
    """No name on the disk crashes anything; each that S3 can hold is matched."""
    s3.create_bucket(Bucket="odd-names")
    root = tmp_path / "odd-names"
    names = ["with blank", "'q\"", "Größe", "a#b", "a?b", "%2F", "x" * 255, "\\", "é"]
    for name in names:
        s3.put_object(Bucket="odd-names", Key=f"d/{name}", Body=name.encode())
        path = root / "d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    for key in ("trailing/", "a//b", "../up", "/lead"):  # never files of their own
        s3.put_object(Bucket="odd-names", Key=key, Body=b"")
    not_text = bytes(root / "d") + b"/\xff\xfe"
    Path(os.fsdecode(not_text)).write_bytes(b"x")
    (root / "d" / "link").symlink_to("/etc/shadow")

    ran = run(
        "verify-backup", str(tmp_path), "--bucket=odd-names", "--sample-size=all",
        "--json",
    )  # fmt: skip

    report = ran.document()
    assert report["counts"]["match"] == len(names)
    found = {f["path"]: (f["outcome"], f["detail"]) for f in report["findings"]}
    assert found.pop("d/\\xff\\xfe") == (
        "missing_from_source",
        "the name is not UTF-8, so no key of S3 equals it",
    )
    assert {path: outcome for path, (outcome, _) in found.items()} == dict.fromkeys(
        ("a//b", "../up", "/lead"), "missing_from_backup"
    )
    assert report["completeness"]["empty_folders"] == 1  # trailing/
    assert "1 entry is a link or special file" in ran.err


def test_nothing_matched_is_never_called_verified(
    run: Run, s3: Any, tmp_path: Path
) -> None:
    """A disk of which S3 knows no file is inconclusive, not all well."""
    s3.create_bucket(Bucket="empty-one")
    (tmp_path / "empty-one").mkdir()
    (tmp_path / "empty-one" / "a").write_bytes(b"x")

    ran = run("verify-backup", str(tmp_path), "--bucket=empty-one")

    assert ran.code == 3
    assert "INCONCLUSIVE" in ran.out


@pytest.mark.parametrize("before", [True, False])
def test_global_options_work_before_and_after_the_command(
    run: Run, backup: Path, before: bool
) -> None:
    """``--json`` and its like may stand on either side of the command's name."""
    command = ["verify-backup", str(backup), "--bucket=my-bucket"]
    options = ["--json", "--quiet", "--forks=3", "--quiet-warnings"]

    ran = run(*([*options, *command] if before else [*command, *options]))

    assert json.loads(ran.out)["verdict"] == "differs"
    assert ran.err == ""


def test_a_seed_repeats_the_draw(run: Run, backup: Path) -> None:
    """The same seed draws the same files, another seed is free to draw others."""
    command = ("verify-backup", str(backup), "--bucket=my-bucket", "--sample-size=2")

    def drawn(seed: str) -> list[str]:
        ran = run(*command, "--seed", seed, "--json", "--all-findings")
        return [f["path"] for f in ran.document()["findings"]]

    assert drawn("a") == drawn("a")
    assert len({tuple(drawn(str(n))) for n in range(12)}) > 1


def test_a_password_among_the_arguments_earns_a_warning_and_is_not_repeated(
    run: Run, backup: Path
) -> None:
    """The original's syntax works; the password itself is nowhere in the output."""
    ran = run("verify-backup", str(backup), "s3cr3t-word", "--bucket=my-bucket")

    assert "warning: a password among the arguments" in ran.err
    assert "s3cr3t-word" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["{disk}", "--bucket=nope"], 6, "s3://nope: there is no such bucket"),
        (["{disk}"], 4, "--bucket NAME or --manifest FILE"),
        (["/dev/no-such", "--bucket=my-bucket"], 5, "/dev/no-such: there is no such"),
        (["/dev/null", "--bucket=my-bucket"], 5, "neither a disk"),
        (["{disk}", "--bucket=my-bucket", "--target-directory=nope"], 5, "/my-bucket"),
        (["{disk}", "--bucket=my-bucket", "--target-directory=../x"], 4, "leaves"),
        (["{disk}", "--manifest=/no/such.yml"], 4, "/no/such.yml: there is no such"),
        (["{disk}", "--bucket=my-bucket", "--sample-size=0"], 2, "--sample-size"),
        (["{disk}", "--bucket=my-bucket", "--confidence=1"], 2, "--confidence"),
        (["{disk}", "--bucket=my-bucket", "--forks=0"], 2, "--forks"),
        (["{disk}", "--bucket=my-bucket", "--no-such-option"], 2, "--no-such-option"),
        (["{disk}", "--bucket=b", "--endpoint-url=http://127.0.0.1:9"], 6, "connect"),
        (["{disk}", "--bucket=b", "--endpoint-url=what"], 4, "endpoint_url"),
        (["{disk}", "--bucket=b", "--profile=nope"], 4, "nope"),
        (["{disk}", "--bucket=b", "--config=/no/such.toml"], 4, "/no/such.toml"),
    ],
)
def test_every_bad_input_gets_one_clear_error(
    run: Run, backup: Path, arguments: list[str], code: int, said: str
) -> None:
    """The error names the thing, the exit code its family; there is no trace."""
    ran = run("verify-backup", *(a.format(disk=backup) for a in arguments))

    assert said in ran.err
    assert ran.code == code
    assert ran.out == ""


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--exported-at", "9999-12-31T23:59:59-14:00"], 2, "a day or a time"),
        (["--exported-at", "0001-01-01T00:00:00+14:00"], 2, "a day or a time"),
        (["--password-file", "/dev/zero"], 4, "/dev/zero is a device"),
        (["--sse-c-key-file", "/dev/zero"], 4, "/dev/zero is a device"),
        (["--report", "LOOP/r.json"], 4, "LOOP/r.json"),
    ],
)
def test_what_has_no_end_is_refused_at_once(
    run: Run, backup: Path, tmp_path: Path, more: list[str], code: int, said: str
) -> None:
    """Times beyond the calendar, endless devices, links that lead to themselves."""
    loop = tmp_path / "LOOP"
    loop.symlink_to(loop)
    given = [word.replace("LOOP", str(loop)) for word in more]

    ran = run("verify-backup", str(backup), "--bucket=my-bucket", *given)

    assert ran.code == code, ran.err
    assert said.replace("LOOP", str(loop)) in ran.err


def test_a_password_may_come_through_a_pipe() -> None:
    """As a shell's ``<(command)`` gives it; it is no device."""
    read, write = os.pipe()
    os.write(write, b"a password\n")
    os.close(write)

    assert content_of(f"/dev/fd/{read}", "a password") == b"a password\n"


def test_without_credentials_the_error_says_where_they_come_from(
    run: Run, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 6, and the names of the variables."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    ran = run("verify-backup", str(backup), "--bucket=my-bucket")

    assert ran.code == 6
    assert "AWS_ACCESS_KEY_ID" in ran.err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Größe 日本", "plain Größe 日本"),
        ("a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        ("abc\u202egpj.exe", "abc\\u202egpj.exe"),
    ],
)
def test_names_cannot_move_the_cursor(text: str, shown: str) -> None:
    """Control and bidirectional characters are written out."""
    assert harmless(text) == shown


@pytest.mark.parametrize(
    ("path", "key", "named"),
    [
        (b"a/x", "a/x", "MISMATCH: a/x ("),
        (b"b/a/x", "a/x", "MISMATCH: b/a/x ("),
        (b"a/new", "a/old", "MISMATCH: a/new, s3://bkt/a/old ("),
        (b"0000/0000", "a//x\x1b", "MISMATCH: 0000/0000, s3://bkt/a//x\\x1b ("),
        (b"stray", "", "MISMATCH: stray ("),
    ],
)
def test_a_finding_names_its_object_where_the_path_does_not(
    path: bytes, key: str, named: str
) -> None:
    """As for substituted names, and in the recovery directory."""
    finding = Finding(TreePath(path), Outcome.MISMATCH, "bkt", key, detail="why")

    assert finding_line(finding).startswith(named)


def test_an_empty_mount_point_is_asked_about_before_all_is_called_missing(
    run: Run, s3: Any, tmp_path: Path
) -> None:
    """First the question; ten objects; how many more; the contract's end and code."""
    s3.create_bucket(Bucket="full")
    for number in range(25):
        s3.put_object(Bucket="full", Key=f"k{number:02}", Body=b"x")
    (tmp_path / "mnt" / "full").mkdir(parents=True)
    command = ("verify-backup", str(tmp_path / "mnt"), "--bucket", "full")
    report = tmp_path / "report.json"

    ran = run(*command, "--exported-at", "2100-01-01", "--report", str(report))
    every = run(*command, "--exported-at", "2100-01-01", "--all-findings")
    document = json.loads(report.read_text())

    assert ran.code == every.code == 1
    asked = (
        "there is no file at all below /full, and S3 has 25 objects: is the disk "
        f"mounted there? findmnt --target {tmp_path / 'mnt'} says what is"
    )
    assert ran.err.count(asked) == 1
    assert ran.out.count("MISSING FROM BACKUP: ") == 10
    assert "... 15 more objects are missing from the backup (--all-findings" in ran.out
    assert "Assertions run: 25, succeeded: 0, failed: 25\n" in ran.out
    assert every.out.count("MISSING FROM BACKUP: ") == 25
    assert len(document["findings"]) == document["counts"]["missing_from_backup"] == 25
    assert any(asked in warning for warning in document["warnings"])


def test_an_empty_directory_without_the_buckets_folder_asks_the_same(
    run: Run, s3: Any, tmp_path: Path
) -> None:
    """Exit 5, as where the directory is not there."""
    s3.create_bucket(Bucket="absent")
    (tmp_path / "mnt").mkdir()

    ran = run("verify-backup", str(tmp_path / "mnt"), "--bucket", "absent")

    assert ran.code == 5
    assert "in its root: nothing" in ran.err
    assert "is it mounted there?" in ran.err


@pytest.mark.parametrize("deeper", ["", "/below"])
def test_a_link_in_the_place_of_the_backups_directory_is_named(
    run: Run, s3: Any, tmp_path: Path, deeper: str
) -> None:
    """It is not followed, so that the disk is not said to lack what is there."""
    s3.create_bucket(Bucket="linked")
    (tmp_path / "there/below").mkdir(parents=True)
    (tmp_path / "mnt").mkdir()
    (tmp_path / "mnt/linked").symlink_to(tmp_path / "there")

    ran = run(
        "verify-backup", str(tmp_path / "mnt"), "--bucket", "linked",
        f"--target-directory=linked{deeper}",
    )  # fmt: skip

    assert ran.code == 5
    assert "/linked on the disk is no directory but a link" in ran.err


def test_a_disk_without_a_name_is_said_to_be_none(run: Run, s3: Any) -> None:
    """As an unset variable of a shell gives it."""
    s3.create_bucket(Bucket="any")

    ran = run("verify-backup", "", "--bucket", "any")

    assert (ran.code, "its name is empty" in ran.err) == (5, True)


def test_what_was_not_looked_for_is_said(run: Run, s3: Any, tmp_path: Path) -> None:
    """A verdict over what is there says nothing of what is not."""
    s3.create_bucket(Bucket="half")
    s3.put_object(Bucket="half", Key="a", Body=b"a")
    s3.put_object(Bucket="half", Key="b", Body=b"b")
    (tmp_path / "half").mkdir()
    (tmp_path / "half/a").write_bytes(b"a")
    words = "verify-backup", str(tmp_path), "--bucket", "half", "--no-completeness"
    report = tmp_path.with_suffix(".json")

    ran = run(*words, "--report", str(report))

    assert ran.code == 0
    assert "Whether objects are missing on the disk was not looked at." in ran.out
    assert "what is missing was not looked for" in run("history", str(report)).out


def test_all_of_nothing_that_is_named_is_refused(run: Run, tmp_path: Path) -> None:
    """`--whole` alone would look for what the disk itself says."""
    ran = run("verify-backup", str(tmp_path), "--whole")

    assert ran.code == 4
    assert "--whole looks for all that is named, and nothing is named" in ran.err


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("My_Bucket!", "a name is 3 to 63 of a-z, 0-9, - and ."),
        ("", "a name is 3 to 63"),
        ("..", "a name is 3 to 63"),
        ("s3://my-bucket/", "write the name alone: my-bucket"),
        ("my-bucket/foo/", "new-manifest FILE.yml --bucket my-bucket/foo/, then --man"),
    ],
)
def test_what_no_bucket_is_called_is_refused_at_once(
    run: Run, tmp_path: Path, name: str, advice: str
) -> None:
    """Exit 4, before the disk is looked for or S3 is asked."""
    ran = run("verify-backup", str(tmp_path), "--bucket", name)

    assert ran.code == 4
    assert f"{name!r} is not a bucket's name" in ran.err
    assert advice in ran.err


def test_a_part_of_a_bucket_is_verified_by_a_manifest_that_says_no_more(
    run: Run, backup: Path, tmp_path: Path
) -> None:
    """As the refusal of bucket/prefix advises: what is to be filled in can stay so."""
    path = str(tmp_path / "m.yml")
    run("new-manifest", path, "--bucket", "my-bucket/foo/", "--non-interactive")

    ran = run("verify-backup", str(backup), "--manifest", path)

    assert "MISMATCH" not in ran.out
    assert "2  match" in ran.out


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/dev/no-such-disk", "list the disks with: s3export list-devices"),
        ("{disk}/fotos/2023", "check the path: {disk} is there, and has no fotos"),
    ],
)
def test_a_folder_that_is_not_there_is_no_matter_of_disks(
    run: Run, backup: Path, path: str, advice: str
) -> None:
    """How far the path is right is told; disks are listed where one was named."""
    ran = run("verify-backup", path.format(disk=backup), "--bucket=my-bucket")

    assert ran.code == 5
    assert f"next: {advice.format(disk=backup)}" in ran.err


def test_the_seed_is_told_where_it_drew_something(run: Run, backup: Path) -> None:
    """Neither where all files were looked at nor where it was given."""
    command = ("verify-backup", str(backup), "--bucket=my-bucket")

    assert "Seed: " in run(*command, "--sample-size=2").out
    assert "Seed: " not in run(*command, "--sample-size=2", "--seed=x").out
    assert "Seed: " not in run(*command, "--sample-size=all").out
    assert "Seed: " not in run(*command).out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            [],
            1,
            "next: copy what differs or is missing from S3 again, then run the same",
        ),
        (["--sample-size=2"], 1, "next: see all that differs with --sample-size all"),
        (["--quiet"], 1, ""),
    ],
)
def test_a_difference_is_followed_by_the_next_step(
    run: Run, backup: Path, s3: Any, arguments: list[str], code: int, said: str
) -> None:
    """On standard error, where those of errors are; and by where the report is."""
    s3.put_object(Bucket="my-bucket", Key="gone", Body=b"gone")
    path = str(backup.parent / "r.json")

    ran = run(
        "verify-backup", str(backup), "--bucket=my-bucket", "--report", path, *arguments
    )

    assert ran.code == code
    assert said in ran.err
    assert (f"report: {path}" in ran.err) is bool(said)
    assert "next:" not in ran.out


@pytest.mark.parametrize("ending", ["json", "html", "csv"])
def test_a_report_that_is_there_is_kept(run: Run, backup: Path, ending: str) -> None:
    """Its new name is told in one line; one that is named twice is written once."""
    report = backup.parent / "kept" / f"r.{ending}"
    report.parent.mkdir()
    command = ("verify-backup", str(backup), "--bucket=my-bucket", "--report")
    run(*command, str(report), "--seed=first")
    first = report.read_bytes()

    ran = run(*command, str(report), "--report", str(report), "--seed=second")
    (kept,) = set(report.parent.iterdir()) - {report}

    assert kept.read_bytes() == first
    assert f"  {report} was there: it is kept as {kept}\n" in ran.err
    assert run(*command, str(report), "--quiet").err == ""


def test_what_could_not_be_verified_is_followed_by_how_it_can_be(
    run: Run, s3: Any, tmp_path: Path
) -> None:
    """Nothing that matched leads to the names that were given."""
    s3.create_bucket(Bucket="other-bucket")
    (tmp_path / "disk" / "other-bucket").mkdir(parents=True)
    (tmp_path / "disk" / "other-bucket" / "a").write_bytes(b"a")

    ran = run("verify-backup", str(tmp_path / "disk"), "--bucket=other-bucket")

    assert ran.code == 3
    assert "next: nothing was equal to S3: check that --bucket" in ran.err
