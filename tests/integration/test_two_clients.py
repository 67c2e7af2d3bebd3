"""The real AWS CLI and this program agree on one emulated service, over HTTP."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from dependency_injector import providers
from fixtures.command_line import Ran, Run
from moto.core.base_backend import BackendDict
from samples import DISK, MANIFEST, loaded_disk

from s3export.domain.jobs import JobId
from s3export.domain.services.ready_disk import read_signature
from s3export.entrypoints import library
from s3export.entrypoints.cli.exit_codes import ExitCode
from s3export.entrypoints.container import application
from s3export.entrypoints.sandbox.importexport.dock import LoadingDock
from s3export.entrypoints.sandbox.importexport.models import importexport_backends
from s3export.entrypoints.sandbox.server import SandboxServer
from s3export.entrypoints.settings import Settings

ACCOUNT = "123456789012"
REFUSED_BY_AWS_CLI = 255
OTHER = MANIFEST.replace("HD001", "HD002")


@dataclass(frozen=True)
class Clients:
    """Both clients, and one job that the AWS CLI created."""

    aws: Run
    ours: Run
    job_id: str
    directory: Path

    def both(self, operation: str, manifest: str = MANIFEST) -> tuple[Ran, Ran]:
        """Run an operation by the AWS CLI, then by us."""
        return (
            self.aws(*self.aws_call(operation, manifest)),
            self.ours(*self.our_call(operation, manifest)),
        )

    def aws_call(self, operation: str, manifest: str = MANIFEST) -> list[str]:
        """Return the AWS CLI's arguments; creating and updating only validate."""
        text = ["--manifest", manifest, "--job-type", "Export", "--validate-only"]
        job = ["--job-id", self.job_id]
        return {
            "CreateJob": ["create-job", *text],
            "UpdateJob": ["update-job", *job, *text],
            "CancelJob": ["cancel-job", *job],
            "GetStatus": ["get-status", *job],
            "ListJobs": ["list-jobs"],
            "GetShippingLabel": ["get-shipping-label", "--job-ids", self.job_id],
        }[operation]

    def our_call(self, operation: str, manifest: str = MANIFEST) -> list[str]:
        """Return our arguments for the same."""
        path = self.directory / "manifest.yml"
        path.write_text(manifest)
        image = self.directory / "disk.img"
        with image.open("wb") as file:
            file.truncate(64 << 20)
        return {
            "CreateJob": ["create-job", str(path), str(image), "--dry-run"],
            "UpdateJob": ["update-job", self.job_id, str(path), "--dry-run"],
            "CancelJob": ["cancel-job", self.job_id, "--yes", "--quiet"],
            "GetStatus": ["get-status", self.job_id, "--json"],
            "ListJobs": ["list-jobs", "--json"],
            "GetShippingLabel": ["get-shipping-label", self.job_id, "--json"],
        }[operation]


@pytest.fixture
def clients(s3: Any, aws: Run, run: Run, tmp_path: Path) -> Iterator[Clients]:
    """Both clients on a fresh service with the sample manifest's buckets."""
    BackendDict.reset()
    for bucket in ("foo-bucket", "export-log-bucket"):
        s3.create_bucket(Bucket=bucket)
    yield Clients(aws, run, created_by(aws), tmp_path)
    BackendDict.reset()


@pytest.fixture
def dock(cli_server: SandboxServer) -> LoadingDock:
    return LoadingDock(cli_server.endpoint_url)


def created_by(aws: Run) -> str:
    """Have the AWS CLI create a job; return its id."""
    text = ("--manifest", MANIFEST, "--job-type", "Export", "--no-validate-only")
    return str(aws("create-job", *text).document()["JobId"])


def codes(operation: str, both: tuple[Ran, Ran]) -> tuple[str, str]:
    """Return the code that each client tells of a refusal."""
    theirs, ours = both
    assert (theirs.out, ours.out) == ("", "")
    assert (theirs.code, ours.code) == (REFUSED_BY_AWS_CLI, ExitCode.AWS)
    told = re.search(
        rf"An error occurred \((\w+)\) when calling the {operation} operation",
        theirs.err,
    )
    in_brackets = re.findall(r"\((\w+)\)", ours.err)
    assert told
    assert len(in_brackets) == 1
    return told[1], in_brackets[0]


MODEL = botocore.session.get_session().get_service_model("importexport")
DOCUMENTED = {
    operation: [shape.name for shape in MODEL.operation_model(operation).error_shapes]
    for operation in MODEL.operation_names
}


def test_every_documented_code_of_every_operation_is_tried() -> None:
    """The codes of the next test are botocore's, and none is left out."""
    assert len(DOCUMENTED) == 6
    assert sum(len(shapes) for shapes in DOCUMENTED.values()) == 55


@pytest.mark.parametrize("operation", DOCUMENTED)
def test_both_clients_tell_the_same_code(
    clients: Clients, dock: LoadingDock, operation: str
) -> None:
    """Ours has it in brackets and ends with 6, for a code of AWS's front end, too."""
    expected = dict.fromkeys(DOCUMENTED[operation], 400)
    expected["InvalidClientTokenId"] = 403
    told = {}
    for code, http_status in expected.items():
        dock.refuse(operation, code, times=2, http_status=http_status)
        told[code] = codes(operation, clients.both(operation))

    assert told == {code: (code, code) for code in expected}


@pytest.mark.parametrize("operation", ["CreateJob", "UpdateJob"])
@pytest.mark.parametrize(
    ("bucket", "code"),
    [
        ("no-such-bucket", "NoSuchBucketException"),
        ("far-away-bucket", "MultipleRegionsException"),
        ("closed-bucket", "BucketPermissionException"),
    ],
)
def test_both_clients_are_refused_the_same_buckets(
    clients: Clients, s3: Any, operation: str, bucket: str, code: str
) -> None:
    """No hook is needed where the service has a rule."""
    s3.create_bucket(Bucket="closed-bucket")
    s3.put_bucket_policy(Bucket="closed-bucket", Policy=json.dumps(CLOSED))
    s3.create_bucket(
        Bucket="far-away-bucket",
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    manifest = MANIFEST.replace("foo-bucket", bucket)

    assert codes(operation, clients.both(operation, manifest)) == (code, code)


CLOSED = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::closed-bucket",
        }
    ],
}


@pytest.mark.parametrize("operation", ["UpdateJob", "CancelJob", "GetShippingLabel"])
@pytest.mark.parametrize(
    "code", ["InvalidJobIdException", "CanceledJobIdException", "ExpiredJobIdException"]
)
def test_both_clients_are_refused_the_same_jobs(
    clients: Clients, operation: str, code: str
) -> None:
    """A job that is unknown, cancelled, or too old."""
    backend = importexport_backends[ACCOUNT]["aws"]
    if code == "CanceledJobIdException":
        backend.cancel_job(clients.job_id)
    elif code == "ExpiredJobIdException":
        backend.now = lambda: datetime.now(UTC) + timedelta(days=31)
    else:
        backend.jobs.clear()

    assert codes(operation, clients.both(operation)) == (code, code)


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("UpdateJob", "UnableToUpdateJobIdException"),
        ("CancelJob", "UnableToCancelJobIdException"),
    ],
)
def test_both_clients_are_too_late_for_a_job_that_is_loading(
    clients: Clients, dock: LoadingDock, operation: str, code: str
) -> None:
    """A transfer that has begun is not changed any more."""
    dock.received(JobId(clients.job_id))
    dock.started(JobId(clients.job_id))

    assert codes(operation, clients.both(operation)) == (code, code)


def statuses(clients: Clients) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what both clients show of the job, in our document's form."""
    theirs, ours = (ran.document() for ran in clients.both("GetStatus"))
    assert theirs["Signature"] in theirs["SignatureFileContents"]
    del ours["situation"]  # what it means, which the AWS CLI does not say
    return {
        "job_id": theirs["JobId"],
        "job_type": theirs["JobType"],
        "created_at": theirs["CreationDate"],
        "location": {
            "code": theirs["LocationCode"],
            "message": theirs["LocationMessage"],
        },
        "progress": {
            "code": theirs["ProgressCode"],
            "message": theirs["ProgressMessage"],
        },
        "carrier": theirs.get("Carrier", ""),
        "tracking_number": theirs.get("TrackingNumber", ""),
        "log": {"bucket": theirs.get("LogBucket", ""), "key": theirs.get("LogKey", "")},
        "error_count": theirs["ErrorCount"],
        "signature_file": theirs["SignatureFileContents"],
    }, ours


def test_both_clients_show_the_same_job_at_every_step(
    clients: Clients, dock: LoadingDock
) -> None:
    """From the post to the way home, every field of the status is equal."""
    job_id = JobId(clients.job_id)
    steps: tuple[Callable[[], None], ...] = (
        lambda: None,
        lambda: dock.received(job_id),
        lambda: dock.started(job_id),
        lambda: dock.finished(
            job_id,
            "SuccessWithErrors",
            error_count=3,
            log_bucket="export-log-bucket",
            log_key=f"logs/export-log-{job_id}",
        ),
        lambda: dock.returned(job_id, "UPS", "1Z999AA10123456784"),
    )
    seen = []
    for step in steps:
        step()
        theirs, ours = statuses(clients)
        assert ours == theirs
        seen.append((ours["location"]["code"], ours["progress"]["code"]))

    assert seen == [
        ("NotReceived", "Pending"),
        ("AtAWS", "Pending"),
        ("AtAWS", "InProgress"),
        ("AtAWS", "SuccessWithErrors"),
        ("Returned", "SuccessWithErrors"),
    ]


def test_both_clients_list_the_same_jobs(clients: Clients) -> None:
    """Newest first, with dates, types, and which were cancelled."""
    second = created_by(clients.aws)
    clients.aws("cancel-job", "--job-id", clients.job_id)
    created_by(clients.aws)

    theirs, ours = (ran.document() for ran in clients.both("ListJobs"))

    assert ours == [
        {
            "job_id": job["JobId"],
            "created_at": job["CreationDate"],
            "job_type": job["JobType"],
            "cancelled": job["IsCanceled"],
        }
        for job in theirs["Jobs"]
    ]
    assert [job["cancelled"] for job in ours] == [False, False, True]
    assert ours[1]["job_id"] == second


def test_a_job_of_ours_is_the_job_that_the_aws_cli_sees(
    clients: Clients, cli_server: SandboxServer
) -> None:
    """SIGNATURE on the disk and the manifest at AWS are the same for both."""
    devices = loaded_disk({})
    app = application(Settings(endpoint_url=cli_server.endpoint_url))
    app.adapters.block_devices.override(providers.Object(devices))
    path = clients.directory / "ours.yml"
    path.write_text(OTHER)

    job = library.create_job(
        library.plan_job(str(path), DISK, application=app), application=app
    )

    tree = devices.disks_by_path[DISK].tree
    status = clients.aws("get-status", "--job-id", job.job_id).document()
    assert tree is not None
    assert read_signature(tree).decode() == status["SignatureFileContents"]
    assert status["CurrentManifest"] == OTHER
    assert status["JobType"] == "Export"
    listed = clients.aws("list-jobs").document()["Jobs"]
    assert [j["JobId"] for j in listed] == [job.job_id, clients.job_id]


def test_an_update_by_one_is_seen_by_the_other(clients: Clients) -> None:
    """The manifest is replaced and signed anew, whoever sends it."""
    created, _ = statuses(clients)

    path = clients.our_call("UpdateJob", OTHER)[2]
    assert clients.ours("update-job", clients.job_id, path).code == 0
    by_us, ours = statuses(clients)
    status = clients.aws("get-status", "--job-id", clients.job_id).document()
    assert status["CurrentManifest"] == OTHER
    assert by_us == ours
    assert by_us["signature_file"] != created["signature_file"]

    text = ("--manifest", MANIFEST, "--job-type", "Export", "--no-validate-only")
    updated = clients.aws("update-job", "--job-id", clients.job_id, *text)
    assert updated.document()["Success"] is True
    by_them, ours = statuses(clients)
    assert by_them == ours == created


def test_validating_changes_nothing_for_either(clients: Clients) -> None:
    """Creating and updating alike."""
    for operation in ("CreateJob", "UpdateJob"):
        theirs, ours = clients.both(operation, OTHER)
        assert (theirs.code, ours.code) == (0, 0)

    status = clients.aws("get-status", "--job-id", clients.job_id).document()
    assert status["CurrentManifest"] == MANIFEST
    assert len(clients.ours("list-jobs", "--json").document()) == 1


@pytest.mark.parametrize("by_us", [True, False])
def test_a_job_that_one_cancels_is_cancelled_for_the_other(
    clients: Clients, by_us: bool
) -> None:
    """Lists and status tell it, and a second time is refused."""
    if by_us:
        assert clients.ours(*clients.our_call("CancelJob")).code == 0
    else:
        cancelled = clients.aws(*clients.aws_call("CancelJob"))
        assert cancelled.document() == {"Success": True}

    theirs, ours = statuses(clients)
    assert theirs == ours
    assert ours["progress"]["code"] == "Canceled"
    assert clients.aws("list-jobs").document()["Jobs"][0]["IsCanceled"] is True
    assert clients.ours("list-jobs", "--json").document()[0]["cancelled"] is True
    refused = "CanceledJobIdException"
    assert codes("CancelJob", clients.both("CancelJob")) == (refused, refused)


def test_both_clients_get_the_same_label(clients: Clients) -> None:
    """For one job or several, with the sender's address and without."""
    jobs = [clients.job_id, created_by(clients.aws)]
    manifest = clients.our_call("CreateJob")[1]
    sender = {
        "name": "Jo Operator",
        "street-1": "1 Example Street",
        "city": "Seattle",
        "state-or-province": "WA",
        "postal-code": "98101",
        "phone-number": "206-555-1000",
        "country": "USA",
    }
    options = [word for name, text in sender.items() for word in (f"--{name}", text)]

    for ids in ([jobs[0]], jobs, jobs[::-1]):
        theirs = [
            clients.aws("get-shipping-label", "--job-ids", *ids, *more).document()
            for more in ([], options)
        ]
        ours = [
            clients.ours("get-shipping-label", *ids, *more, "--json").document()
            for more in ([], ["--manifest", manifest])
        ]
        assert [label["url"] for label in ours] == [
            label["ShippingLabelURL"] for label in theirs
        ]
        assert ours[0]["url"].endswith(f"/shipping-label-{ids[0]}.pdf")


def test_as_programs_both_clients_say_what_they_say_in_this_process(
    clients: Clients, aws_program: Run
) -> None:
    """Output, error and exit code are the same, of a success and of a refusal."""
    known = clients.job_id

    def our_program(*arguments: str) -> Ran:
        ran = subprocess.run(
            [sys.executable, "-m", "s3export", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    theirs = [["list-jobs"]] + [["get-status", "--job-id", j] for j in (known, "ZZZZZ")]
    ours = [["list-jobs"]] + [["get-status", j, "--json"] for j in (known, "ZZZZZ")]
    with ThreadPoolExecutor(max_workers=2) as pool:
        as_programs = (
            list(pool.map(lambda call: aws_program(*call), theirs)),
            list(pool.map(lambda call: our_program(*call), ours)),
        )

    assert as_programs == (
        [clients.aws(*call) for call in theirs],
        [clients.ours(*call) for call in ours],
    )
