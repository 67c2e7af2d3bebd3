"""The emulated service's refusals that do not come of a manifest alone."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.core.base_backend import BackendDict
from samples import MANIFEST

from s3export.domain.errors import AwsError
from s3export.entrypoints.sandbox.importexport.dock import LoadingDock
from s3export.entrypoints.sandbox.server import (
    ACCESS_KEY,
    REGION,
    SECRET_KEY,
    SandboxServer,
    running,
)

ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def started() -> Iterator[SandboxServer]:
    """One server for the module: stopping one takes half a second."""
    with running() as server:
        yield server


@pytest.fixture
def server(started: SandboxServer) -> SandboxServer:
    """The module's server, with the sample manifest's buckets and nothing else."""
    BackendDict.reset()
    for bucket in ("foo-bucket", "export-log-bucket"):
        client_of("s3", started).create_bucket(Bucket=bucket)
    return started


@pytest.fixture
def dock(server: SandboxServer) -> LoadingDock:
    return LoadingDock(server.endpoint_url)


@pytest.fixture
def client(server: SandboxServer) -> Any:
    """A client that sends each call once, whatever is missing in it."""
    return client_of("importexport", server)


def client_of(service: str, server: SandboxServer) -> Any:
    """Return a client of the server."""
    return boto3.client(
        service,
        endpoint_url=server.endpoint_url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )


def code_of(call: Callable[[], object]) -> str:
    """Return the code that a call is refused with, or nothing."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"]).removesuffix("Exception")
    return ""


def operations(client: Any) -> dict[str, Callable[..., object]]:
    """Return a call of every operation, of a job that is there."""
    text = {"JobType": "Export", "Manifest": MANIFEST, "ValidateOnly": True}
    job_id = client.create_job(**text | {"ValidateOnly": False})["JobId"]
    return {
        "CreateJob": lambda **more: client.create_job(**text, **more),
        "UpdateJob": lambda **more: client.update_job(JobId=job_id, **text, **more),
        "CancelJob": lambda **more: client.cancel_job(JobId=job_id, **more),
        "GetStatus": lambda **more: client.get_status(JobId=job_id, **more),
        "ListJobs": lambda **more: client.list_jobs(**more),
        "GetShippingLabel": lambda **more: client.get_shipping_label(
            jobIds=[job_id], **more
        ),
    }


OBJECTS, LOGS = "arn:aws:s3:::foo-bucket/*", "arn:aws:s3:::export-log-bucket/*"
DENY_READING = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": OBJECTS,
}


@pytest.mark.parametrize(
    ("bucket", "changes"),
    [
        ("foo-bucket", {}),
        ("foo-bucket", {"Principal": {"AWS": "*"}}),
        ("foo-bucket", {"Principal": {"AWS": ACCOUNT}}),
        ("foo-bucket", {"Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:root"]}}),
        ("foo-bucket", {"Action": ["s3:PutObject", "s3:getobject"]}),
        ("foo-bucket", {"Action": "s3:*"}),
        ("foo-bucket", {"Action": "*", "Resource": "*"}),
        (
            "foo-bucket",
            {"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::foo-bucket"},
        ),
        (
            "foo-bucket",
            {
                "Principal": None,
                "NotPrincipal": {"AWS": "arn:aws:iam::999999999999:root"},
            },
        ),
        ("foo-bucket", {"Action": None, "NotAction": "s3:PutObject"}),
        ("foo-bucket", {"Resource": None, "NotResource": LOGS}),
        ("export-log-bucket", {"Action": "s3:PutObject", "Resource": LOGS}),
        (
            "export-log-bucket",
            {
                "Action": "s3:Put*",
                "Resource": "arn:aws:s3:::export-log-bucket/logs/export-log-?????",
            },
        ),
    ],
)
def test_a_bucket_whose_policy_denies_the_export_is_refused(
    server: SandboxServer, client: Any, bucket: str, changes: dict[str, object]
) -> None:
    """The account must be able to list and read what is exported, and to write logs."""
    put_policy(server, bucket, changes)
    call = operations_without_job(client)

    assert code_of(call) == "BucketPermission"
    client_of("s3", server).delete_bucket_policy(Bucket=bucket)
    assert code_of(call) == ""


@pytest.mark.parametrize(
    ("bucket", "changes"),
    [
        ("foo-bucket", {"Effect": "Allow"}),
        ("foo-bucket", {"Principal": {"AWS": "999999999999"}}),
        ("foo-bucket", {"Principal": {"Service": "logging.s3.amazonaws.com"}}),
        ("foo-bucket", {"Action": "s3:PutObject"}),
        ("foo-bucket", {"Resource": "arn:aws:s3:::foo-bucket/private/*"}),
        ("foo-bucket", {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}),
        (
            "foo-bucket",
            {
                "Principal": None,
                "NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            },
        ),
        ("export-log-bucket", {"Resource": LOGS}),
        (
            "export-log-bucket",
            {
                "Action": "s3:PutObject",
                "Resource": "arn:aws:s3:::export-log-bucket/other/*",
            },
        ),
    ],
)
def test_a_policy_that_leaves_the_export_possible_is_none_of_its_business(
    server: SandboxServer, client: Any, bucket: str, changes: dict[str, object]
) -> None:
    """Denied is what is denied to the account, whatever the circumstances."""
    put_policy(server, bucket, changes)

    assert code_of(operations_without_job(client)) == ""


def put_policy(server: SandboxServer, bucket: str, changes: dict[str, object]) -> None:
    """Give a bucket a policy of one statement; ``None`` takes an element away."""
    statement = {k: v for k, v in (DENY_READING | changes).items() if v is not None}
    client_of("s3", server).put_bucket_policy(
        Bucket=bucket,
        Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def operations_without_job(client: Any) -> Callable[[], object]:
    """Return a call that validates the sample manifest."""
    return lambda: client.create_job(
        JobType="Export", Manifest=MANIFEST, ValidateOnly=True
    )


@pytest.mark.parametrize("operation", ["CreateJob", "UpdateJob", "GetStatus"])
@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("2010-06-01", ""),
        ("2010-06-03", ""),
        ("2012-01-14", ""),
        ("2014-12-18", ""),
        ("2009-05-20", "InvalidVersion"),
        ("", "InvalidVersion"),
        ("2.0", "InvalidVersion"),
    ],
)
def test_a_client_tool_has_a_documented_version(
    client: Any, operation: str, version: str, code: str
) -> None:
    """Clients that name no version are answered, too."""
    call = operations(client)[operation]

    assert code_of(lambda: call(APIVersion=version)) == code
    assert code_of(call) == ""


def test_every_operation_looks_at_the_version(client: Any) -> None:
    """A call of an unknown client tool does nothing."""
    calls = operations(client)

    for call in calls.values():
        assert code_of(partial(call, APIVersion="1")) == "InvalidVersion"
    assert code_of(calls["CancelJob"]) == ""


@pytest.mark.parametrize("job_id", [None, ""])
def test_an_id_that_is_missing_is_an_invalid_one(client: Any, job_id: object) -> None:
    """AWS's own words for the code begin with a job's id that was missing."""
    given = {} if job_id is None else {"JobId": job_id}
    update = {"JobType": "Export", "Manifest": MANIFEST}

    assert code_of(lambda: client.get_status(**given)) == "InvalidJobId"
    assert code_of(lambda: client.cancel_job(**given)) == "InvalidJobId"
    assert code_of(lambda: client.update_job(**given, **update)) == "InvalidJobId"


@pytest.mark.parametrize("most", ["many", "1.5", ""])
def test_a_number_that_is_none_is_an_invalid_parameter(client: Any, most: str) -> None:
    """The service answers with a code, and does not break."""
    assert code_of(lambda: client.list_jobs(MaxJobs=most)) == "InvalidParameter"


@pytest.mark.parametrize("job_type", ["Export", "export", "EXPORT"])
def test_a_jobs_type_is_written_in_any_case(client: Any, job_type: str) -> None:
    """The AWS CLI's examples write it in lower case; the answer has it as modelled."""
    answer = client.create_job(JobType=job_type, Manifest=MANIFEST, ValidateOnly=False)

    assert answer["JobType"] == "Export"
    assert client.get_status(JobId=answer["JobId"])["JobType"] == "Export"


def test_a_bucket_without_objects_can_be_exported(client: Any) -> None:
    """AWS refused it with a code that no source names; the emulation does not."""
    assert code_of(operations_without_job(client)) == ""


@pytest.mark.parametrize(
    "operation",
    [
        "CreateJob",
        "UpdateJob",
        "CancelJob",
        "GetStatus",
        "ListJobs",
        "GetShippingLabel",
    ],
)
def test_the_next_calls_are_refused_as_it_was_asked_for(
    client: Any, dock: LoadingDock, operation: str
) -> None:
    """In the order of asking, of one operation only, and then no more."""
    calls = operations(client)
    dock.refuse(operation, "InvalidVersionException", times=2)
    dock.refuse(operation, "InvalidClientTokenId", http_status=403)

    codes = [code_of(calls[operation]) for _ in range(3)]
    others = [code_of(call) for name, call in calls.items() if name != operation]

    assert codes == ["InvalidVersion", "InvalidVersion", "InvalidClientTokenId"]
    assert set(others) <= {"", "CanceledJobId"}
    assert code_of(calls[operation]) in ("", "CanceledJobId")


def test_a_refused_call_does_nothing(client: Any, dock: LoadingDock) -> None:
    """No job is created; the answer has the asked-for code and HTTP status."""
    dock.refuse("CreateJob", "InternalFailure", http_status=500)

    with pytest.raises(ClientError) as refused:
        client.create_job(JobType="Export", Manifest=MANIFEST, ValidateOnly=False)

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert refused.value.response["Error"] == {
        "Type": "Receiver",
        "Code": "InternalFailure",
        "Message": "refused on request",
    }
    assert client.list_jobs()["Jobs"] == []


def test_a_reset_forgets_what_is_to_be_refused(
    server: SandboxServer, client: Any, dock: LoadingDock
) -> None:
    """Moto's own reset is enough."""
    dock.refuse("ListJobs", "InvalidVersionException", times=100)
    assert code_of(client.list_jobs) == "InvalidVersion"

    urllib.request.urlopen(
        f"{server.endpoint_url}/moto-api/reset", data=b"", timeout=10
    ).close()

    assert code_of(client.list_jobs) == ""


def test_nothing_else_can_be_asked_for(dock: LoadingDock) -> None:
    """An operation that is none, no calls at all, a status that is no error."""
    with pytest.raises(AwsError, match="GetShippingLabel"):
        dock.refuse("DeleteJob", "X")
    with pytest.raises(AwsError, match="times"):
        dock.refuse("ListJobs", "X", times=0)
    with pytest.raises(AwsError, match="http_status"):
        dock.refuse("ListJobs", "X", http_status=200)
