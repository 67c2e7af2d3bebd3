"""The emulated export service: AWS's rules and codes, on the wire."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import moto
import pytest
from moto import backend_index
from moto.moto_server import werkzeug_app
from samples import MANIFEST

from s3export.domain.errors import AwsError, Unreachable
from s3export.domain.jobs import JobId
from s3export.entrypoints.sandbox import importexport
from s3export.entrypoints.sandbox.actions import s3_client
from s3export.entrypoints.sandbox.importexport.dock import LoadingDock
from s3export.entrypoints.sandbox.importexport.models import importexport_backends
from s3export.entrypoints.sandbox.server import ACCESS_KEY, SandboxServer

ACCOUNT = "123456789012"


@pytest.fixture(params=["in process", "server"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A boto3 client, in process and over HTTP, with the buckets made."""
    if request.param == "server":
        server: SandboxServer = request.getfixturevalue("server")
        make_buckets(s3_client(server))
        yield boto3.client("importexport", endpoint_url=server.endpoint_url)
        return
    importexport.register()
    with moto.mock_aws():
        make_buckets(boto3.client("s3"))
        yield boto3.client("importexport")


def make_buckets(s3: Any) -> None:
    """Make the sample manifest's buckets, and one in another region."""
    for bucket in ("foo-bucket", "export-log-bucket"):
        s3.create_bucket(Bucket=bucket)
    s3.create_bucket(
        Bucket="far-away-bucket",
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )


def create(client: Any, manifest: str = MANIFEST, **more: object) -> Any:
    """Call CreateJob."""
    call = {"JobType": "Export", "Manifest": manifest, "ValidateOnly": False, **more}
    return client.create_job(**call)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (MANIFEST, "/home/operator/manifest.yml", "MalformedManifest"),
        (MANIFEST, "", "MalformedManifest"),
        ("deviceId: HD001", "deviceId: a\ndeviceId: b", "MalformedManifest"),
        ("deviceId: HD001", "deviceId: *x", "MalformedManifest"),
        ("deviceId: HD001\n", "", "MissingManifestField"),
        ("logBucket: export-log-bucket\n", "", "MissingManifestField"),
        ("pinCode: 0123\n", "", "MissingManifestField"),
        ("exportBucket", "prefix", "MissingManifestField"),
        ("fileSystem: EXT4", "fileSystem: FAT32", "InvalidFileSystem"),
        ("logPrefix: logs/", f"logPrefix: {'x' * 1020}", "InvalidManifestField"),
        ("pinCode", "serviceLevel: overnight\npinCode", "InvalidManifestField"),
        ("foo-bucket", "no-such-bucket", "NoSuchBucket"),
        ("logBucket: export-log", "logBucket: no-such", "NoSuchBucket"),
        ("foo-bucket", "far-away-bucket", "MultipleRegions"),
        ("  city: Seattle\n", "", "InvalidAddress"),
        ("  stateOrProvince: WA\n", "", "InvalidAddress"),
        ("1 Example Street", "P.O. Box 12", "InvalidAddress"),
        ("USA", "Germany", "MissingCustoms"),
        ("pinCode", "customs:\n  deviceType: tape\npinCode", "InvalidCustoms"),
        ("pinCode", "accessKeyId: AKIAOTHEROTHEROTHER0\npinCode", "InvalidAccessKeyId"),
    ],
)
def test_each_fault_has_its_code(client: Any, old: str, new: str, code: str) -> None:
    """One thing is wrong, and boto3 raises the exception that AWS documents for it."""
    expected = getattr(client.exceptions, f"{code}Exception")

    with pytest.raises(expected):
        create(client, MANIFEST.replace(old, new))

    assert client.list_jobs()["Jobs"] == []


@pytest.mark.parametrize("job_type", ["Import", "Neither"])
def test_other_types_of_jobs_are_refused(client: Any, job_type: str) -> None:
    """Only exports are emulated."""
    with pytest.raises(client.exceptions.InvalidParameterException):
        create(client, JobType=job_type)


def test_what_awss_own_templates_look_like_is_accepted(client: Any) -> None:
    """No blank after the colon, CRLF, comments."""
    text = "# template\n" + MANIFEST.replace(": ", ":").replace("\n", "\r\n")

    answer = create(client, text)

    assert client.get_status(JobId=answer["JobId"])["CurrentManifest"].startswith("#")


def test_the_key_that_signs_may_stand_in_the_manifest(server: SandboxServer) -> None:
    """An accessKeyId that is the request's own is accepted."""
    make_buckets(s3_client(server))
    client = boto3.client("importexport", endpoint_url=server.endpoint_url)

    assert create(client, f"{MANIFEST}accessKeyId: {ACCESS_KEY}\n")["JobId"]


def test_validating_alone_creates_nothing(client: Any) -> None:
    """No id, no signature, no job."""
    answer = create(client, ValidateOnly=True)

    assert "JobId" not in answer
    assert client.list_jobs()["Jobs"] == []


def test_a_jobs_id_and_signature_have_the_documented_form(client: Any) -> None:
    """Five characters without zero and O; four lines, HMAC-SHA1 in base64."""
    answer = create(client)
    job_id = answer["JobId"]

    assert len(job_id) == 5
    assert not set(job_id) - set("123456789ABCDEFGHIJKLMNPQRSTUVWXYZ")
    assert len(base64.b64decode(answer["Signature"], validate=True)) == 20
    assert answer["SignatureFileContents"] == (
        "version:2.0\nsigningMethod:HmacSHA1\n"
        f"jobId:{job_id}\nsignature:{answer['Signature']}\n"
    )


def test_a_new_jobs_status_leaves_out_what_is_not_known_yet(client: Any) -> None:
    """No parcel, no log; no errors."""
    status = client.get_status(JobId=create(client)["JobId"])

    assert not {"Carrier", "TrackingNumber", "LogBucket", "LogKey"} & set(status)
    assert status["ErrorCount"] == 0
    assert status["CurrentManifest"] == MANIFEST


def test_lists_are_paged_newest_first(client: Any) -> None:
    """Marker is the last job seen; IsTruncated tells that more follow."""
    created = [create(client)["JobId"] for _ in range(5)]

    first = client.list_jobs(MaxJobs=3)
    rest = client.list_jobs(MaxJobs=3, Marker=first["Jobs"][-1]["JobId"])

    listed = [job["JobId"] for job in first["Jobs"] + rest["Jobs"]]
    assert listed == created[::-1]
    assert (first["IsTruncated"], rest["IsTruncated"]) == (True, False)
    with pytest.raises(client.exceptions.InvalidParameterException):
        client.list_jobs(Marker="ZZZZZ")


def test_a_cancelled_job_is_cancelled_for_good(client: Any) -> None:
    """Updating and cancelling again are refused; looking is not."""
    job_id = create(client)["JobId"]
    client.cancel_job(JobId=job_id)

    assert client.get_status(JobId=job_id)["ProgressCode"] == "Canceled"
    with pytest.raises(client.exceptions.CanceledJobIdException):
        client.cancel_job(JobId=job_id)
    with pytest.raises(client.exceptions.CanceledJobIdException):
        client.get_shipping_label(jobIds=[job_id])


def test_a_device_that_does_not_come_within_30_days_is_too_late(client: Any) -> None:
    """The job expires; its status can still be asked for."""
    job_id = create(client)["JobId"]
    backend = importexport_backends[ACCOUNT]["aws"]
    backend.now = lambda: datetime.now(UTC) + timedelta(days=31)

    assert client.get_status(JobId=job_id)["ProgressCode"] == "Expired"
    with pytest.raises(client.exceptions.ExpiredJobIdException):
        client.cancel_job(JobId=job_id)


def test_fifty_jobs_a_day_are_the_limit(client: Any) -> None:
    """The next day there is room again."""
    for _ in range(50):
        create(client)
    with pytest.raises(client.exceptions.CreateJobQuotaExceededException):
        create(client)

    backend = importexport_backends[ACCOUNT]["aws"]
    backend.now = lambda: datetime.now(UTC) + timedelta(days=1, seconds=1)
    create(client)


def test_a_device_goes_through_the_facility(server: SandboxServer) -> None:
    """Received, started, finished, returned; the status tells each step."""
    make_buckets(s3_client(server))
    client = boto3.client("importexport", endpoint_url=server.endpoint_url)
    job_id = JobId(create(client)["JobId"])
    dock = LoadingDock(server.endpoint_url)

    def seen() -> tuple[str, str]:
        status = client.get_status(JobId=job_id)
        return status["LocationCode"], status["ProgressCode"]

    assert dock.expected(job_id).manifest == MANIFEST
    dock.received(job_id)
    assert seen() == ("AtAWS", "Pending")
    dock.started(job_id)
    assert seen() == ("AtAWS", "InProgress")
    with pytest.raises(client.exceptions.UnableToUpdateJobIdException):
        client.update_job(
            JobId=job_id, Manifest=MANIFEST, JobType="Export", ValidateOnly=False
        )
    dock.finished(job_id, "Success", log_bucket="export-log-bucket", log_key="log")
    with pytest.raises(client.exceptions.UnableToCancelJobIdException):
        client.cancel_job(JobId=job_id)
    dock.returned(job_id, "UPS", "1Z")
    assert seen() == ("Returned", "Success")
    assert client.get_status(JobId=job_id)["TrackingNumber"] == "1Z"


def test_steps_out_of_order_are_refused(server: SandboxServer) -> None:
    """A device cannot be loaded before it came, nor come twice."""
    make_buckets(s3_client(server))
    client = boto3.client("importexport", endpoint_url=server.endpoint_url)
    job_id = JobId(create(client)["JobId"])
    dock = LoadingDock(server.endpoint_url)

    with pytest.raises(AwsError, match=job_id):
        dock.started(job_id)
    with pytest.raises(AwsError, match=job_id):
        dock.finished(job_id, "Success")
    with pytest.raises(AwsError, match=job_id):
        dock.returned(job_id, "UPS", "1Z")
    dock.received(job_id)
    with pytest.raises(AwsError):
        dock.received(job_id)
    with pytest.raises(AwsError, match="No such job"):
        dock.expected(JobId("ZZZZZ"))


def test_a_dock_without_a_server_is_unreachable() -> None:
    """The address is in the message."""
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        LoadingDock("http://127.0.0.1:9").expected(JobId("ZZZZZ"))


def test_registering_twice_is_registering_once() -> None:
    """The places of moto that are touched are there, each with one entry of ours."""
    importexport.register()
    importexport.register()

    names = [name for name, _ in backend_index.backend_url_patterns]
    assert names.count("importexport") == 1
    assert werkzeug_app.SIGNING_ALIASES["ingestionservice"] == "importexport"


def test_a_reset_forgets_the_jobs() -> None:
    """Each ``mock_aws()`` begins without any."""
    importexport.register()
    for _ in range(2):
        with moto.mock_aws():
            make_buckets(boto3.client("s3"))
            client = boto3.client("importexport")
            assert client.list_jobs()["Jobs"] == []
            create(client)
