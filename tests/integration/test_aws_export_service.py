"""The export service through boto3: the emulated service over HTTP, and bad ones."""

import http.client
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.stub import Stubber
from contracts.export_service_contract import SENDER, ExportServiceContract
from moto.core.base_backend import BackendDict
from samples import DISK, MANIFEST, disk_facts

from s3export.adapters import aws_export
from s3export.adapters.aws_export import AwsExportService
from s3export.adapters.memory import (
    FixedClock,
    MemoryBlockDevices,
    MemoryDisk,
    MemoryManifests,
)
from s3export.domain import errors
from s3export.domain.backup_layout import TreePath
from s3export.domain.jobs import JobId
from s3export.domain.services.create_job import CreateJob
from s3export.entrypoints.container import application
from s3export.entrypoints.sandbox.actions import s3_client
from s3export.entrypoints.sandbox.server import SandboxServer, running
from s3export.entrypoints.settings import Settings


@dataclass
class Arranged:
    service: AwsExportService


@pytest.fixture(scope="module")
def started() -> Iterator[SandboxServer]:
    """One server for the module: stopping one takes half a second."""
    with running() as server:
        yield server


@pytest.fixture
def server(started: SandboxServer) -> SandboxServer:
    """The module's server, without buckets and jobs."""
    BackendDict.reset()
    return started


@pytest.fixture
def arranged(server: SandboxServer) -> Arranged:
    for bucket in ("foo-bucket", "export-log-bucket"):
        s3_client(server).create_bucket(Bucket=bucket)
    app = application(Settings(endpoint_url=server.endpoint_url))
    return Arranged(app.adapters.export_service())


class TestAwsExportService(ExportServiceContract):
    """The contract, over HTTP."""


def test_more_jobs_than_fit_a_page_are_all_listed(
    arranged: Arranged, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every job is told once, newest first, whether or not the last page is full."""
    monkeypatch.setattr(aws_export, "_JOBS_A_PAGE", 2)
    created = [arranged.service.create(MANIFEST).job_id for _ in range(4)]
    assert [job.job_id for job in arranged.service.jobs()] == created[::-1]

    created.append(arranged.service.create(MANIFEST).job_id)

    assert [job.job_id for job in arranged.service.jobs()] == created[::-1]


def modelled_exceptions() -> list[str]:
    """Return every exception of botocore's model of the service."""
    model = botocore.session.get_session().get_service_model("importexport")
    return sorted(shape.name for shape in model.error_shapes)


@pytest.fixture
def stubbed() -> Iterator[tuple[AwsExportService, Stubber]]:
    client = boto3.client("importexport")
    with Stubber(client) as stubber:
        yield AwsExportService(client, client), stubber


def test_there_are_exceptions_to_map() -> None:
    """The list that the next test runs over is botocore's and not empty."""
    assert "InvalidJobIdException" in modelled_exceptions()
    assert len(modelled_exceptions()) >= 19


@pytest.mark.parametrize("code", modelled_exceptions())
def test_every_modelled_exception_tells_the_operator_what_to_do(
    stubbed: tuple[AwsExportService, Stubber], code: str
) -> None:
    """Each has a class of the domain, and its message survives."""
    service, stubber = stubbed
    stubber.add_client_error("get_status", code, "said AWS", 400)

    with pytest.raises(errors.AwsError) as raised:
        service.status(JobId("X452D"))

    kind = type(raised.value)
    assert kind not in (errors.AwsError, errors.AwsFailed, errors.JobRefused)
    assert raised.value.message == f"job X452D: said AWS ({code})"
    assert raised.value.next_step


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "InvalidAccessIdException"])
def test_codes_outside_the_model_are_known_too(
    stubbed: tuple[AwsExportService, Stubber], code: str
) -> None:
    """AWS documents codes that botocore does not list."""
    service, stubber = stubbed
    stubber.add_client_error("get_status", code, "said AWS", 403)

    with pytest.raises((errors.CredentialsRejected, errors.InvalidAccessKeyId)):
        service.status(JobId("X452D"))


def page(*names: str, more: bool) -> dict[str, Any]:
    """Return one page of ListJobs."""
    jobs = [
        {
            "JobId": name,
            "CreationDate": datetime(2026, 1, 1, tzinfo=UTC),
            "IsCanceled": False,
            "JobType": "Export",
        }
        for name in names
    ]
    return {"Jobs": jobs, "IsTruncated": more}


def test_jobs_are_listed_page_after_page(
    stubbed: tuple[AwsExportService, Stubber],
) -> None:
    """Each page begins after the last job of the one before."""
    service, stubber = stubbed
    stubber.add_response("list_jobs", page("C", "B", more=True), {"MaxJobs": 1000})
    stubber.add_response(
        "list_jobs", page("A", more=False), {"MaxJobs": 1000, "Marker": "B"}
    )

    assert [job.job_id for job in service.jobs()] == ["C", "B", "A"]
    stubber.assert_no_pending_responses()


def test_an_empty_page_that_claims_more_is_the_end(
    stubbed: tuple[AwsExportService, Stubber],
) -> None:
    """Otherwise the same page would be asked for forever."""
    service, stubber = stubbed
    stubber.add_response("list_jobs", page(more=True), {"MaxJobs": 1000})

    assert list(service.jobs()) == []


def test_a_warning_is_passed_on(
    stubbed: tuple[AwsExportService, Stubber],
) -> None:
    """What the service finds odd but accepts reaches the caller."""
    service, stubber = stubbed
    odd = {"WarningMessage": "odd name"}
    made = {"JobId": "X452D", "SignatureFileContents": "version:2.0\n"}
    stubber.add_response("create_job", odd)
    stubber.add_response("create_job", odd | made)
    stubber.add_response("update_job", odd | {"Success": True})
    stubber.add_response("get_shipping_label", {"Warning": "odd name"})

    assert service.validate(MANIFEST) == "odd name"
    assert service.create(MANIFEST).warning == "odd name"
    assert service.update(JobId("X452D"), MANIFEST) == "odd name"
    assert service.shipping_label([JobId("X452D")]).warning == "odd name"


def test_a_success_that_is_none_is_an_error(
    stubbed: tuple[AwsExportService, Stubber],
) -> None:
    """``Success`` false without an error code is not taken for done."""
    service, stubber = stubbed
    stubber.add_response("update_job", {"Success": False})
    stubber.add_response("cancel_job", {"Success": False})

    with pytest.raises(errors.AwsFailed, match="updating job X452D"):
        service.update(JobId("X452D"), MANIFEST)
    with pytest.raises(errors.AwsFailed, match="cancelling job X452D"):
        service.cancel(JobId("X452D"))


def test_a_senders_address_is_sent_without_its_empty_lines(
    stubbed: tuple[AwsExportService, Stubber],
) -> None:
    """Each line has the name that the API gives it."""
    service, stubber = stubbed
    stubber.add_response(
        "get_shipping_label",
        {"ShippingLabelURL": "https://example.com/label.pdf"},
        {
            "jobIds": ["X452D", "53TX4"],
            "name": "Jo Operator",
            "street1": "1 Example Street",
            "city": "Seattle",
            "stateOrProvince": "WA",
            "postalCode": "98101",
            "phoneNumber": "206-555-1000",
            "country": "USA",
        },
    )

    label = service.shipping_label([JobId("X452D"), JobId("53TX4")], SENDER)

    assert label.url == "https://example.com/label.pdf"


def test_a_job_that_came_back_tells_its_parcel_and_its_log(
    stubbed: tuple[AwsExportService, Stubber],
) -> None:
    """A code that is not known here is shown as it came."""
    service, stubber = stubbed
    stubber.add_response(
        "get_status",
        {
            "JobId": "X452D",
            "JobType": "Export",
            "CreationDate": datetime(2026, 1, 1, tzinfo=UTC),
            "LocationCode": "Returned",
            "ProgressCode": "SomethingNew",
            "Carrier": "UPS",
            "TrackingNumber": "1Z",
            "LogBucket": "some-logs",
            "LogKey": "export-log-X452D",
            "ErrorCount": 3,
        },
    )

    status = service.status(JobId("X452D"))

    assert (status.carrier, status.tracking_number) == ("UPS", "1Z")
    assert (status.log_bucket, status.log_key) == ("some-logs", "export-log-X452D")
    assert (status.progress_code, status.error_count) == ("SomethingNew", 3)


@dataclass
class Answer:
    """What a server says; ``length`` claims another length than the body has."""

    status: int = 200
    body: str = ""
    length: int | None = None


HANGS_UP = None
NO_JOBS = Answer(
    body="<ListJobsResponse><ListJobsResult><IsTruncated>false</IsTruncated>"
    "</ListJobsResult></ListJobsResponse>"
)
NO_JOB_ID = Answer(
    body="<CreateJobResponse><CreateJobResult><JobType>Export</JobType>"
    "</CreateJobResult></CreateJobResponse>"
)


@contextmanager
def answering(
    *answers: Answer | None,
) -> Iterator[tuple[AwsExportService, list[str]]]:
    """Run a server that gives the answers in turn, the last one for ever after.

    The bodies of the requests are noted.
    """
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = answers[min(len(seen), len(answers) - 1)]
            length = int(self.headers["Content-Length"])
            seen.append(self.rfile.read(length).decode())
            if answer is HANGS_UP:
                return
            body = answer.body.encode()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(answer.length or len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(
            target=server.serve_forever, args=[0.01], daemon=True
        ).start()  # asked every 10 ms whether it shall stop
        url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield (
                application(Settings(endpoint_url=url)).adapters.export_service(),
                seen,
            )
        finally:
            server.shutdown()


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow each other at once."""
    monkeypatch.setattr(
        "botocore.retries.standard.ExponentialBackoff.delay_amount",
        lambda backoff, context: 0,
    )


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(HANGS_UP, id="hangs up"),
        pytest.param(Answer(500), id="500"),
        pytest.param(Answer(503), id="503"),
        pytest.param(Answer(body="<CreateJobResponse>", length=999), id="cut off"),
        pytest.param(Answer(body="created: yes"), id="no XML"),
        pytest.param(NO_JOB_ID, id="no job id"),
    ],
)
def test_creating_is_never_tried_twice(answer: Answer | None) -> None:
    """A reply that is lost or cannot be read may belong to a job that exists."""
    with answering(answer) as (service, seen):
        with pytest.raises(errors.ReplyLost) as lost:
            service.create(MANIFEST)

        assert len(seen) == 1
        assert "ValidateOnly=false" in seen[0]
    assert "\n" not in lost.value.message
    assert "list-jobs" in lost.value.next_step


@contextmanager
def losing_replies(to: str, lost: str) -> Iterator[tuple[str, list[str]]]:
    """Run a proxy that passes everything on but hangs up in place of some answers.

    Args:
        to: The address (URL) of the server behind it.
        lost: Requests whose body holds this get no answer.

    Yields:
        The proxy's address (URL), and the bodies of the requests whose answer was lost.
    """
    unanswered: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            behind = http.client.HTTPConnection(to.removeprefix("http://"))
            behind.request("POST", self.path, body, dict(self.headers))
            answer = behind.getresponse()
            content = answer.read()
            behind.close()
            if lost in body.decode():
                unanswered.append(body.decode())
                return
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        threading.Thread(target=proxy.serve_forever, args=[0.01], daemon=True).start()
        try:
            yield f"http://127.0.0.1:{proxy.server_address[1]}", unanswered
        finally:
            proxy.shutdown()


@pytest.mark.parametrize(
    "text", [MANIFEST, MANIFEST.replace("\n", "\r\n"), "\ufeff" + MANIFEST]
)
def test_a_job_whose_reply_was_lost_on_the_way_is_found_again(
    server: SandboxServer, arranged: Arranged, text: str
) -> None:
    """There is one job in the end, its disk is signed, and it was asked for once."""
    disk = MemoryDisk(disk_facts())
    earlier = arranged.service.create(MANIFEST)
    manifest = MemoryManifests({"m": text}).read("m").accepted()
    with losing_replies(server.endpoint_url, "ValidateOnly=false") as (url, lost):
        through_the_proxy = application(Settings(endpoint_url=url))
        create = CreateJob(
            through_the_proxy.adapters.export_service(),
            MemoryBlockDevices(disk),
            FixedClock(),
        )

        job = create.carry_out(create.plan(manifest, DISK))

    assert len(lost) == 1
    assert [j.job_id for j in arranged.service.jobs()] == [job.job_id, earlier.job_id]
    assert arranged.service.status(job.job_id).signature_file == job.signature_file
    assert "reply was lost" in job.warning
    assert disk.tree is not None
    assert disk.tree.files[TreePath(b"SIGNATURE")] == job.signature_file.encode()


@pytest.mark.parametrize("left_out", ["JobId", "CreationDate"])
def test_a_status_without_an_id_or_a_date_is_an_error(
    stubbed: tuple[AwsExportService, Stubber], left_out: str
) -> None:
    """Nothing is made up in their place."""
    service, stubber = stubbed
    answer = {"JobId": "X452D", "CreationDate": datetime(2026, 1, 1, tzinfo=UTC)}
    del answer[left_out]
    stubber.add_response("get_status", answer)

    with pytest.raises(errors.AwsFailed, match="job X452D"):
        service.status(JobId("X452D"))


def test_a_refusal_is_not_a_lost_reply() -> None:
    """An answer below 500 says that no job was made."""
    refusal = Answer(
        400,
        "<ErrorResponse><Error><Code>CreateJobQuotaExceededException</Code>"
        "<Message>enough</Message></Error></ErrorResponse>",
    )
    with answering(refusal) as (service, seen):
        with pytest.raises(errors.JobQuotaExceeded):
            service.create(MANIFEST)

        assert len(seen) == 1


@pytest.mark.usefixtures("no_pauses")
def test_validating_is_tried_again() -> None:
    """It creates nothing, so it may be repeated; the retries come to an end."""
    with answering(Answer(503)) as (service, seen):
        with pytest.raises(errors.AwsError):
            service.validate(MANIFEST)

        assert len(seen) == 5
        assert all("ValidateOnly=true" in body for body in seen)


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("failure", [HANGS_UP, Answer(500), Answer(503)], ids=str)
def test_looking_is_tried_again_until_it_succeeds(failure: Answer | None) -> None:
    """Two failures before the answer go unnoticed."""
    with answering(failure, failure, NO_JOBS) as (service, seen):
        assert list(service.jobs()) == []

        assert len(seen) == 3
        assert all("Action=ListJobs" in body for body in seen)


def test_an_answer_that_is_no_xml_is_an_error_of_the_domain() -> None:
    """Another program listens there: one line says so, and no trace."""
    with (
        answering(Answer(body="hello\nthere")) as (service, _),
        pytest.raises(errors.AwsFailed) as failed,
    ):
        list(service.jobs())

    assert "listing the jobs" in failed.value.message
    assert "\n" not in failed.value.message


def test_a_request_that_never_arrived_created_nothing() -> None:
    """A refused connection is not a lost reply."""
    service = application(
        Settings(endpoint_url="http://127.0.0.1:9")
    ).adapters.export_service()

    with pytest.raises(errors.Unreachable, match=r"127\.0\.0\.1:9"):
        service.create(MANIFEST)
