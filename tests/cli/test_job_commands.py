"""The commands on jobs, over the emulated export service and a disk image."""

import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from samples import MANIFEST

from s3export.domain import errors
from s3export.entrypoints.cli.exit_codes import TABLE, ExitCode, of_error
from s3export.entrypoints.cli.terminal import Terminal

Run = Callable[..., Any]


@pytest.fixture
def manifest(s3: Any, tmp_path: Path) -> str:
    """A manifest that the service accepts."""
    for bucket in ("foo-bucket", "export-log-bucket"):
        s3.create_bucket(Bucket=bucket)
    path = tmp_path / "manifest.yml"
    path.write_text(MANIFEST)
    return str(path)


@pytest.fixture
def image(tmp_path: Path) -> str:
    """An image file of an empty disk, 64 MiB."""
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    return str(path)


def test_of_another_name_than_the_disks_it_is_told_how_it_is_confirmed() -> None:
    """As a shell takes it."""
    terminal = Terminal(io.StringIO(), io.StringIO(), io.StringIO())

    with pytest.raises(errors.ConfirmationMissing, match="not confirmed") as refused:
        terminal.confirm("All will be lost.", "a disk.img", "wrong")

    assert refused.value.next_step.endswith("or say --confirm-device 'a disk.img'")


def create(server_s3: Any, text: str) -> str:
    """Create a job without a disk, as another client would."""
    import boto3

    client = boto3.client("importexport", endpoint_url=server_s3.meta.endpoint_url)
    answer = client.create_job(JobType="Export", Manifest=text, ValidateOnly=False)
    return str(answer["JobId"])


def test_a_dry_run_shows_the_plan_and_writes_nothing(
    run: Run, manifest: str, image: str
) -> None:
    """The image is byte for byte what it was, and no job exists."""
    before = Path(image).read_bytes()

    ran = run("create-job", manifest, image, "--dry-run", "--json")

    assert ran.code == 0
    assert ran.document()["dry_run"] is True
    assert any("ERASE" in step for step in ran.document()["steps"])
    assert Path(image).read_bytes() == before
    assert run("list-jobs", "--json").document() == []


@pytest.mark.parametrize(
    "answer", [["--non-interactive"], ["--confirm-device", "another"], []]
)
def test_without_confirmation_nothing_happens(
    run: Run, manifest: str, image: str, answer: list[str]
) -> None:
    """Exit 4, no job, and the image untouched."""
    before = Path(image).read_bytes()

    ran = run("create-job", manifest, image, *answer)

    assert ran.code == 4
    assert Path(image).read_bytes() == before
    assert run("list-jobs", "--json").document() == []


def test_a_job_is_listed_shown_updated_labelled_and_cancelled(
    run: Run, s3: Any, manifest: str
) -> None:
    """Every command on a job works by its id."""
    job_id = create(s3, MANIFEST)

    assert job_id in run("list-jobs").out
    status = run("get-status", job_id, "--json").document()
    assert status["location"]["code"] == "NotReceived"
    assert "jobId:" + job_id in run("get-status", job_id).out
    assert run("update-job", job_id, manifest, "--dry-run").code == 0
    updated = run("update-job", job_id, manifest, "--json").document()
    assert [remark["rule"] for remark in updated.pop("remarks")] == [
        "weak-secret",
        "unquoted-value",
    ]
    assert updated == {
        "job_id": job_id,
        "dry_run": False,
        "signature_written": False,
        "signature_outdated": False,
        "difference": [],
        "warning": "",
    }
    label = run("get-shipping-label", job_id, "--manifest", manifest)
    assert label.out.startswith("https://")
    assert run("cancel-job", job_id, "--yes").code == 0
    assert run("get-status", job_id, "--json").document()["progress"]["code"] == (
        "Canceled"
    )
    again = run("cancel-job", job_id, "--yes")
    assert again.code == 6
    assert "the job was cancelled" in again.err


def test_no_output_holds_the_pin(run: Run, s3: Any, manifest: str, image: str) -> None:
    """The manifest's PIN is in no output of any job command, nor in an error's."""
    text = MANIFEST.replace("0123", "98765432")
    Path(manifest).write_text(text)
    job_id = create(s3, text)

    other = str(Path(manifest).with_name("other.yml"))
    Path(other).write_text(text.replace("98765432", "12349876") + "generator: g\n")
    damaged = str(Path(manifest).with_name("damaged.yml"))
    Path(damaged).write_text(text.replace("fileSystem: EXT4", "fileSystem: [98765432"))
    for arguments, code in (
        (("create-job", manifest, image, "--dry-run"), 0),
        (("create-job", manifest, image), 4),
        (("create-job", damaged, image, "--dry-run"), 4),
        (("update-job", job_id, manifest, "--dry-run"), 0),
        (("update-job", job_id, other, "--dry-run"), 0),
        (("update-job", job_id, damaged), 4),
        (("update-job", "ZZZZZ", other), 6),
        (("get-status", job_id), 0),
        (("get-status", job_id, "--show-manifest"), 0),
        (("list-jobs",), 0),
        (("list-jobs", "--details"), 0),
        (("get-shipping-label", job_id, "--manifest", manifest), 0),
        (("update-job", job_id, other), 0),
        (("cancel-job", job_id), 4),
        (("cancel-job", job_id, "--yes"), 0),
        (("cancel-job", job_id, "--yes"), 6),
        (("update-job", job_id, other), 6),
        (("get-status", job_id, "--watch", "--show-manifest"), 0),
    ):
        for more in (("--verbose",), ("--verbose", "--json")):
            if arguments[0] == "cancel-job" and code == 0 and "--json" in more:
                continue  # it is cancelled once
            ran = run(*arguments, *more)
            assert ran.code == code, (arguments, ran.err)
            assert "98765432" not in ran.out + ran.err
            assert "12349876" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["get-status", "ZZZZZ"], 6, "No such job ZZZZZ"),
        (["get-status", "../x"], 4, "'../x' is not a job's id"),
        (["cancel-job", "ZZZZZ"], 6, "list-jobs"),
        (["create-job", "/no.yml", "{image}"], 4, "/no.yml: there is no such file"),
        (["create-job", "{manifest}", "/no-disk"], 5, "/no-disk: there is no such"),
        (["create-job", "{manifest}", "/tmp"], 5, "/tmp is a directory"),
        (["create-job", "{manifest}", "/dev/null"], 5, "/dev/null is neither"),
        (["create-job", "{image}", "{image}"], 4, "is it a manifest?"),
        (["create-job", "{manifest}"], 2, "<device-path>"),
        (["no-such-command"], 2, "no-such-command"),
        ([], 2, "<command>"),
        (["sandbox", "deliver"], 4, "deliver which device?"),
    ],
)
def test_every_bad_input_gets_one_clear_error(
    run: Run, manifest: str, image: str, arguments: list[str], code: int, said: str
) -> None:
    """The error names the thing, the exit code its family."""
    ran = run(*(a.format(manifest=manifest, image=image) for a in arguments))

    assert said in ran.err
    assert ran.code == code
    assert ran.out == ""


def test_a_manifest_with_many_problems_shows_them_all(
    run: Run, manifest: str, image: str
) -> None:
    """One run names each problem with its line; exit 4."""
    Path(manifest).write_text(
        MANIFEST.replace("fileSystem: EXT4", "fileSystem: FAT")
        .replace("exportBucket", "exportBuket")
        .replace("  city: Seattle\n", "")
        .replace("pinCode: 0123\n", "")
    )

    ran = run("create-job", manifest, image, "--dry-run")

    assert ran.code == 4
    assert "line 3, column 13: fileSystem: is another value (write EXT4" in ran.err
    assert "did you mean exportBucket?" in ran.err
    assert "returnAddress.city: is missing" in ran.err
    assert "neither trueCryptPassword nor pinCode" in ran.err


def test_awss_refusal_leaves_the_disk_alone(
    run: Run, s3: Any, manifest: str, image: str
) -> None:
    """A bucket that AWS does not know ends create-job before anything is written."""
    Path(manifest).write_text(MANIFEST.replace("foo-bucket", "no-such-bucket"))
    before = Path(image).read_bytes()

    ran = run("create-job", manifest, image, "--confirm-device", image)

    assert ran.code == 6
    assert "operations[0].exportBucket" in ran.err
    assert Path(image).read_bytes() == before


def test_every_error_of_the_domain_has_an_exit_code() -> None:
    """No error that an operator can act on ends as a bug."""
    families = {
        errors.InputRefused: ExitCode.INPUT,
        errors.DeviceError: ExitCode.DEVICE,
        errors.AwsError: ExitCode.AWS,
    }
    for family, code in families.items():
        assert of_error(family("x")) == code
    assert {c.__base__ for c in families} == {errors.S3ExportError}
    assert set(errors.S3ExportError.__subclasses__()) == set(families)


def test_help_ends_with_the_exit_codes(run: Run) -> None:
    """``--help`` of the program and of each command shows the table."""
    for command in ([], ["verify-backup"], ["create-job"], ["sandbox"]):
        ran = run(*command, "--help")
        assert ran.code == 0
        assert ran.out.endswith(TABLE)


def test_a_bug_is_one_line_and_how_to_report_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception nobody foresaw ends with 70 and without a trace."""
    from s3export.entrypoints.cli import commands

    def broken(call: object) -> int:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(commands, "list_jobs", broken)
    ran = run("list-jobs")

    assert ran.code == 70
    assert "a bug: ZeroDivisionError: oh" in ran.err
    assert "--verbose" in ran.err


def test_output_that_cannot_be_written_is_no_bug(s3: Any) -> None:
    """A full disk behind standard output is named, and ends with 4."""
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "s3export", "list-jobs"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert "writing the output failed: No space left" in ran.stderr
    assert ran.returncode == 4


@pytest.mark.parametrize(
    "streams", [">&-", "2>&-", "<&-", "<&- >&- 2>&-", "2>/dev/full", ">&- 2>/dev/full"]
)
@pytest.mark.parametrize(
    ("command", "code"), [("check-manifest --list-rules", 0), ("get-status ../x", 4)]
)
def test_the_exit_code_is_told_where_nothing_else_can_be(
    streams: str, command: str, code: int
) -> None:
    """With any of the standard streams closed, or errors that cannot be written."""
    script = f"exec {sys.executable} -m s3export {command} {streams}"

    ran = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=False
    )

    assert ran.returncode == code
    assert "Traceback" not in ran.stderr
    if "2>" not in streams:
        assert ("is not a job's id" in ran.stderr) is (code == 4)


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_message_goes_into_a_file_that_takes_the_place_of_a_stream(
    tmp_path: Path, streams: str
) -> None:
    """A file that is opened next has another number than that of a closed stream."""
    path = tmp_path / "new.yml"
    script = f"exec {sys.executable} -m s3export new-manifest {path} {streams}"

    ran = subprocess.run(["sh", "-c", script], capture_output=True, check=False)

    assert ran.returncode == 0
    assert path.read_text().startswith("#")
    assert "Wrote" not in path.read_text()


@pytest.mark.parametrize("action", ["serve", "demo"])
def test_a_port_that_is_taken_is_said_before_the_sandbox_starts(
    run: Run, action: str
) -> None:
    """Exit 4, which port, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ran = run("sandbox", action, "--port", port)

    assert ran.code == 4
    assert f"port {port} of 127.0.0.1 cannot be had: Address already in use" in ran.err
    assert "leave out --port" in ran.err
    assert ran.out == ""


def test_a_reader_that_has_gone_ends_the_program_as_a_signal_would() -> None:
    """Exit 141, and nothing is said, as the table of exit codes has it."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "s3export", "check-manifest", "--list-rules"],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writing)

    assert (ran.returncode, ran.stderr) == (141, "")
    assert "\n  141  " in TABLE
