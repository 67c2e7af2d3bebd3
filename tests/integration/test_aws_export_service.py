"""The export service through boto3: the emulated service over HTTP, and bad ones."""

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
from contracts.export_service_contract import ExportServiceContract
from samples import MANIFEST

from s3export.adapters.aws_export import AwsExportService
from s3export.domain import errors
from s3export.domain.jobs import JobId
from s3export.entrypoints.container import application
from s3export.entrypoints.sandbox.actions import s3_client
from s3export.entrypoints.sandbox.server import SandboxServer
from s3export.entrypoints.settings import Settings


@dataclass
class Arranged:
    service: AwsExportService


@pytest.fixture
def arranged(server: SandboxServer) -> Arranged:
    for bucket in ("foo-bucket", "export-log-bucket"):
        s3_client(server).create_bucket(Bucket=bucket)
    app = application(Settings(endpoint_url=server.endpoint_url))
    return Arranged(app.adapters.export_service())


class TestAwsExportService(ExportServiceContract):
    """The contract, over HTTP."""


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
    assert "X452D: said AWS" in raised.value.message
    if kind is not errors.InvalidJobParameter:  # the message alone can say it
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


@contextmanager
def breaking(status: int | None) -> Iterator[tuple[AwsExportService, list[str]]]:
    """Run a server that hangs up (None) or answers with a status; note the requests."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            seen.append(self.rfile.read(length).decode())
            if status is not None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield (
                application(Settings(endpoint_url=url)).adapters.export_service(),
                seen,
            )
        finally:
            server.shutdown()


@pytest.mark.parametrize("status", [None, 500, 503])
def test_creating_is_never_tried_twice(status: int | None) -> None:
    """A reply that is lost may belong to a job that exists."""
    with breaking(status) as (service, seen):
        with pytest.raises(errors.ReplyLost) as lost:
            service.create(MANIFEST)

        assert len(seen) == 1
        assert "ValidateOnly=false" in seen[0]
    assert "list-jobs" in lost.value.next_step


def test_asking_is_tried_again() -> None:
    """Validating and looking change nothing, so they may be repeated."""
    with breaking(503) as (service, seen):
        with pytest.raises(errors.AwsError):
            service.validate(MANIFEST)

        assert len(seen) > 1
        assert all("ValidateOnly=true" in body for body in seen)


def test_a_request_that_never_arrived_created_nothing() -> None:
    """A refused connection is not a lost reply."""
    service = application(
        Settings(endpoint_url="http://127.0.0.1:9")
    ).adapters.export_service()

    with pytest.raises(errors.Unreachable):
        service.create(MANIFEST)
