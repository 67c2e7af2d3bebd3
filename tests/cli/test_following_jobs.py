"""Following jobs from the command line, over the emulated export service."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from samples import MANIFEST

from s3export.adapters.clock import SystemClock
from s3export.domain import errors
from s3export.domain.services import follow_jobs
from s3export.entrypoints.cli.terminal import Terminal
from s3export.entrypoints.sandbox.importexport.models import (
    ImportExportBackend,
    importexport_backends,
)

Run = Callable[..., Any]
PIN = "98765432"
ACCOUNT = "123456789012"  # moto's only one


@pytest.fixture
def backend(s3: Any) -> ImportExportBackend:
    """What happens at AWS; the server runs in this process."""
    backend: ImportExportBackend = importexport_backends[ACCOUNT]["aws"]
    backend.jobs.clear()
    return backend


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """The manifest of the job."""
    path = tmp_path / "manifest.yml"
    path.write_text(MANIFEST.replace("0123", PIN))
    return path


@pytest.fixture
def job(s3: Any, backend: ImportExportBackend, manifest: Path) -> str:
    """A job that waits for its disk."""
    for bucket in ("foo-bucket", "export-log-bucket"):
        s3.create_bucket(Bucket=bucket)
    return create(s3, manifest.read_text())


@pytest.fixture
def time_flies(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """Waiting takes no time; each wait has the next of these happen at AWS."""
    happens: list[Callable[[], object]] = []

    def wait(clock: SystemClock, seconds: float) -> None:
        assert happens, "the watch should have ended"
        happens.pop(0)()

    monkeypatch.setattr(SystemClock, "wait", wait)
    return happens


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], list[str]]:
    """Somebody sits at the terminal and answers questions; they are noted."""
    asked: list[str] = []

    def answering(answer: bool) -> list[str]:
        def agrees(terminal: Terminal, question: str) -> bool:
            asked.append(question)
            return answer

        monkeypatch.setattr(
            Terminal, "can_ask", property(lambda self: not self.non_interactive)
        )
        monkeypatch.setattr(Terminal, "agrees", agrees)
        return asked

    return answering


def create(s3: Any, text: str) -> str:
    client = boto3.client("importexport", endpoint_url=s3.meta.endpoint_url)
    answer = client.create_job(JobType="Export", Manifest=text, ValidateOnly=False)
    return str(answer["JobId"])


# --- get-status --------------------------------------------------------------------


def test_a_status_says_what_it_means_and_what_to_do(run: Run, job: str) -> None:
    """In words and in JSON, with the day until which AWS waits."""
    day = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"

    text = run("get-status", job).out
    situation = run("get-status", job, "--json").document()["situation"]

    assert "AWS has not received the disk" in text
    assert f"send it by {day}" in text
    assert situation["turn"] == "operator"
    assert situation["deadline"].startswith(day)
    assert situation["final"] is False
    assert situation["meaning"] in text and situation["next_step"] in text


def test_a_manifest_is_shown_only_where_it_is_asked_for(run: Run, job: str) -> None:
    """With its PIN hidden, as text and in JSON."""
    assert "exportBucket" not in run("get-status", job).out
    assert "manifest" not in run("get-status", job, "--json").document()

    text = run("get-status", job, "--show-manifest").out
    document = run("get-status", job, "--show-manifest", "--json").document()

    assert "exportBucket: foo-bucket" in text
    assert "pinCode: ********" in text
    assert document["manifest"] == MANIFEST.replace("0123", "********")


@pytest.mark.parametrize("where", ["signed", "folder"])
def test_a_signature_is_written_again(
    run: Run, job: str, tmp_path: Path, where: str
) -> None:
    """To a file, replacing it, or into a directory; byte for byte."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "signed").write_text("old")
    written = (
        tmp_path / "folder" / "SIGNATURE" if where == "folder" else tmp_path / where
    )

    ran = run("get-status", job, "--signature", str(tmp_path / where), "--json")

    assert ran.document()["signature_written_to"] == str(written)
    assert written.read_bytes() == ran.document()["signature_file"].encode()
    assert sorted(path.name for path in written.parent.iterdir()) == (
        ["SIGNATURE"] if where == "folder" else ["folder", "manifest.yml", "signed"]
    )
    again = run("get-status", job, "--signature", str(tmp_path / where))
    assert f"Wrote the signature file to {written}" in again.out


@pytest.mark.parametrize("where", ["no/such/folder", "/dev/null", "", "new/", "a\0b"])
def test_a_signature_that_cannot_be_written_is_refused(
    run: Run, job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Exit 4; a device keeps what it is."""
    monkeypatch.chdir(tmp_path)

    ran = run("get-status", job, "--signature", where)

    assert ran.code == 4
    assert "next: name a file" in ran.err
    assert ran.out == ""
    assert Path("/dev/null").is_char_device()
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.yml"]


def test_an_answer_without_a_signature_is_an_error(
    run: Run, job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No empty file is written."""
    from s3export.entrypoints.sandbox.importexport.job import Job

    monkeypatch.setattr(Job, "signature_file", "")

    ran = run("get-status", job, "--signature", str(tmp_path / "SIGNATURE"))

    assert ran.code == 6
    assert "no signature" in ran.err
    assert not (tmp_path / "SIGNATURE").exists()


# --- get-status --watch ------------------------------------------------------------


def load(backend: ImportExportBackend, job: str) -> list[Callable[[], object]]:
    """What happens to a job at AWS, from its disk's arrival to its return."""
    return [
        lambda: None,
        lambda: backend.receive(job),
        lambda: backend.start(job),
        lambda: None,
        lambda: backend.finish(job, "SuccessWithErrors", error_count=2),
        lambda: backend.send_back(job, "UPS", "1Z999"),
    ]


def test_a_watched_job_is_told_until_it_is_back(
    run: Run,
    backend: ImportExportBackend,
    job: str,
    time_flies: list[Callable[[], object]],
) -> None:
    """One line for each change, then what the end means; exit 0."""
    time_flies += load(backend, job)

    ran = run("get-status", job, "--watch", "--interval", "1")

    assert ran.code == 0
    assert not time_flies
    told = [line for line in ran.out.splitlines() if "→" in line]
    assert [line.split("Z  ")[1] for line in told] == [
        "location: NotReceived → AtAWS",
        "progress: Pending → InProgress",
        "progress: InProgress → SuccessWithErrors",
        "errors: 0 → 2",
        "location: AtAWS → Returned",
        "parcel: none → UPS 1Z999",
    ]
    assert "s3export verify-backup DEVICE" in ran.out.splitlines()[-1]


def test_a_watched_job_is_one_document_in_the_end(
    run: Run,
    backend: ImportExportBackend,
    job: str,
    tmp_path: Path,
    time_flies: list[Callable[[], object]],
) -> None:
    """The last status; changes are on standard error."""
    time_flies += load(backend, job)
    signed = str(tmp_path / "SIGNATURE")

    ran = run("get-status", job, "--watch", "--json", "--signature", signed)

    document = ran.document()
    assert document["location"]["code"] == "Returned"
    assert document["situation"]["final"] is True
    assert document["signature_written_to"] == signed
    assert "location: AtAWS → Returned" in ran.err


def test_a_watch_goes_on_while_aws_cannot_be_reached(
    run: Run,
    backend: ImportExportBackend,
    job: str,
    time_flies: list[Callable[[], object]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A warning says so; the end of the job is seen all the same."""
    from s3export.adapters.aws_export import AwsExportService

    real = AwsExportService.status

    def gone() -> None:
        def status(service: Any, job_id: Any) -> Any:
            monkeypatch.setattr(AwsExportService, "status", real)
            raise errors.Unreachable("no route to AWS")

        monkeypatch.setattr(AwsExportService, "status", status)

    time_flies += [gone, lambda: backend.cancel_job(job)]

    ran = run("get-status", job, "--watch")

    assert ran.code == 0
    assert "warning: no route to AWS; asking again in 300 s" in ran.err
    assert "progress: Pending → Canceled" in ran.out


def test_a_refusal_ends_a_watch(
    run: Run,
    backend: ImportExportBackend,
    job: str,
    time_flies: list[Callable[[], object]],
) -> None:
    """The job is gone: exit 6, and no document."""
    time_flies += [backend.jobs.clear]

    ran = run("get-status", job, "--watch", "--json")

    assert ran.code == 6
    assert f"No such job {job}" in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_watch_is_interrupted_while_it_waits(
    job: str, signum: signal.Signals, code: int
) -> None:
    """At once, not at the end of the interval."""
    with subprocess.Popen(
        [sys.executable, "-m", "s3export", "get-status", job, "--watch", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ,
        text=True,
    ) as child:
        assert child.stderr is not None
        assert "Asking every 300 s" in child.stderr.readline()
        child.send_signal(signum)
        out, err = child.communicate(timeout=60)

    assert child.returncode == code
    assert out == ""
    assert "interrupted" in err


@pytest.mark.parametrize("interval", ["0", "-1", "x", "86401"])
def test_an_interval_is_a_number_of_seconds(run: Run, interval: str) -> None:
    """Anything else is wrong usage."""
    ran = run("get-status", "X", "--watch", "--interval", interval)

    assert ran.code == 2
    assert "a number of seconds from 1 to 86400" in ran.err


def test_an_interval_is_for_watching(run: Run, job: str) -> None:
    """Without ``--watch`` it is refused, not ignored."""
    ran = run("get-status", job, "--interval", "5")

    assert ran.code == 4
    assert "--watch" in ran.err


# --- list-jobs ---------------------------------------------------------------------


def test_a_list_is_a_table(run: Run, s3: Any, job: str, backend: Any) -> None:
    """Id, time of creation, type, and whether it was cancelled; newest first."""
    other = create(s3, MANIFEST)
    backend.cancel_job(job)

    header, first, second = run("list-jobs").out.splitlines()

    assert header.split() == ["JOB", "CREATED", "TYPE", "CANCELLED"]
    assert first.split()[0] == other and first.split()[2:] == ["Export", "no"]
    assert second.split()[0] == job and second.split()[2:] == ["Export", "yes"]


def test_no_jobs_are_no_table(run: Run, backend: ImportExportBackend) -> None:
    """Words for people, an empty list for scripts, with details or without."""
    for more in ([], ["--details"]):
        assert run("list-jobs", *more).out == "There are no jobs.\n"
        assert run("list-jobs", *more, "--json").document() == []


def test_details_say_how_each_job_stands(
    run: Run,
    s3: Any,
    job: str,
    backend: ImportExportBackend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job whose status cannot be had shows why, and the others theirs."""
    broken, third = create(s3, MANIFEST), create(s3, MANIFEST)
    backend.receive(third)
    real = ImportExportBackend.get_status

    def get_status(self: ImportExportBackend, job_id: str) -> Any:
        return real(self, "GONE" if job_id == broken else job_id)

    monkeypatch.setattr(ImportExportBackend, "get_status", get_status)

    text = run("list-jobs", "--details")
    listed = run("list-jobs", "--details", "--json", "--forks", "2").document()

    assert text.code == 0
    header, first, second, last = text.out.splitlines()
    assert header.endswith("LOCATION     PROGRESS  WHOSE TURN")
    assert first.split()[4:] == ["AtAWS", "Pending", "AWS"]
    assert "no status: " in second and "No such job GONE" in second
    assert last.split()[4:] == ["NotReceived", "Pending", "operator"]
    assert [row["job_id"] for row in listed] == [third, broken, job]
    assert [sorted(row.keys() & {"status", "error"}) for row in listed] == [
        ["status"],
        ["error"],
        ["status"],
    ]
    assert "No such job GONE" in listed[1]["error"]["message"]
    assert listed[0]["status"]["situation"]["turn"] == "AWS"


def test_details_are_asked_for_at_once(
    run: Run, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as ``--forks`` says, and 8 where it says nothing."""
    seen: list[int] = []
    real = follow_jobs.FollowJobs.details

    def details(self: follow_jobs.FollowJobs, *, at_once: int) -> Any:
        seen.append(at_once)
        return real(self, at_once=at_once)

    monkeypatch.setattr(follow_jobs.FollowJobs, "details", details)

    run("list-jobs", "--details")
    run("list-jobs", "--details", "--forks", "3")

    assert seen == [8, 3]


# --- update-job --------------------------------------------------------------------


def test_an_update_shows_the_difference(run: Run, job: str, manifest: Path) -> None:
    """Before it is made by ``--dry-run``, and when it is made; the PIN is hidden."""
    manifest.write_text(
        manifest.read_text().replace(PIN, "11112222").replace("EXT4", "NTFS")
    )

    dry = run("update-job", job, str(manifest), "--dry-run")
    done = run("update-job", job, str(manifest), "--json")
    again = run("update-job", job, str(manifest))

    for line in ("-fileSystem: EXT4", "+fileSystem: NTFS", "+pinCode: ********"):
        assert f"  {line}\n" in dry.out
        assert line in done.document()["difference"]
    assert "nothing was changed" in dry.out
    assert "is the one that AWS holds already" in again.out


def test_an_update_without_the_disk_says_how_its_signature_is_written_again(
    run: Run, job: str, manifest: Path, tmp_path: Path
) -> None:
    """The warning is a command line for a shell; the document has it as a field."""
    other = tmp_path / "the other.yml"
    other.write_text(manifest.read_text().replace("EXT4", "NTFS"))

    dry = run("update-job", job, str(other), "--dry-run")
    same = run("update-job", job, str(manifest), "--json")
    done = run("update-job", job, str(other))
    back = run("update-job", job, str(manifest), "--json")

    assert "SIGNATURE on a disk" not in dry.err + same.err
    assert same.document()["signature_outdated"] is False
    assert f"warning: the signature of job {job} changed" in done.err
    assert f"s3export update-job {job} '{other}' DISK" in done.err
    assert f"s3export get-status {job} --signature FILE" in done.err
    assert back.document()["signature_outdated"] is True
    assert back.document()["signature_written"] is False


def test_a_finished_job_is_not_updated(
    run: Run, job: str, manifest: Path, backend: ImportExportBackend
) -> None:
    """The error says how it stands and what to do; exit 6."""
    backend.receive(job)
    backend.finish(job, "MissingSignature")

    ran = run("update-job", job, str(manifest))

    assert ran.code == 6
    assert "cannot be updated any more" in ran.err
    assert "no SIGNATURE file" in ran.err
    assert "next: " in ran.err


# --- cancel-job --------------------------------------------------------------------


def cancelled(run: Run, job: str) -> bool:
    code = run("get-status", job, "--json").document()["progress"]["code"]
    return bool(code == "Canceled")


@pytest.mark.parametrize("more", [[], ["--non-interactive"], ["--json"]])
def test_nothing_is_cancelled_without_an_answer(
    run: Run, job: str, more: list[str]
) -> None:
    """Where nobody can be asked ``--yes`` is named; exit 4."""
    ran = run("cancel-job", job, *more)

    assert ran.code == 4
    assert "--yes" in ran.err
    assert not cancelled(run, job)


def test_a_job_is_shown_before_it_is_cancelled(
    run: Run, job: str, answers: Callable[[bool], list[str]]
) -> None:
    """No is no: exit 4, and the job goes on."""
    asked = answers(False)

    ran = run("cancel-job", job)

    assert ran.code == 4
    assert len(asked) == 1 and job in asked[0]
    assert "AWS has not received the disk" in ran.out
    assert not cancelled(run, job)


def test_a_job_is_cancelled_by_a_yes(
    run: Run, job: str, answers: Callable[[bool], list[str]]
) -> None:
    """Typed by a person."""
    answers(True)

    ran = run("cancel-job", job)

    assert ran.code == 0
    assert f"Cancelled job {job}." in ran.out
    assert cancelled(run, job)


def test_non_interactive_is_stronger_than_a_terminal(
    run: Run, job: str, answers: Callable[[bool], list[str]]
) -> None:
    """Nobody is asked, and nothing is cancelled."""
    asked = answers(True)

    assert run("cancel-job", job, "--non-interactive").code == 4
    assert asked == []
    assert not cancelled(run, job)


def test_a_script_says_yes(run: Run, job: str) -> None:
    """The document is the only thing on standard output."""
    ran = run("cancel-job", job, "--yes", "--non-interactive", "--json")

    assert ran.code == 0
    assert ran.document() == {"job_id": job, "cancelled": True}
    assert cancelled(run, job)


def test_a_job_that_has_ended_is_explained_and_nobody_is_asked(
    run: Run,
    job: str,
    backend: ImportExportBackend,
    answers: Callable[[bool], list[str]],
) -> None:
    """Cancelled, expired or done: exit 6."""
    asked = answers(True)
    backend.cancel_job(job)
    twice = run("cancel-job", job)
    backend.jobs[job].progress = "Pending"
    backend.jobs[job].created -= timedelta(days=31)
    late = run("cancel-job", job)
    backend.jobs[job].location, backend.jobs[job].progress = "Returned", "Success"
    done = run("cancel-job", job)

    assert [twice.code, late.code, done.code] == [6, 6, 6]
    assert "the job was cancelled" in twice.err
    assert "the job has expired" in late.err
    assert "all data was transferred" in done.err
    assert asked == []


def test_awss_refusal_to_cancel_is_explained(
    run: Run, job: str, backend: ImportExportBackend
) -> None:
    """The documents contradict each other about a job under way: AWS decides."""
    backend.receive(job)
    backend.start(job)

    ran = run("cancel-job", job, "--yes")

    assert ran.code == 6
    assert "UnableToCancelJobId" in ran.err
    assert "the transfer is under way" in ran.err
    assert "next: wait for AWS" in ran.err


def test_what_cancel_job_shows_first_is_not_in_the_document(run: Run, job: str) -> None:
    """It is on standard error, so that standard output is JSON alone."""
    ran = run("cancel-job", job, "--yes", "--json")

    assert json.loads(ran.out)["cancelled"] is True
    assert "AWS has not received the disk" in ran.err
