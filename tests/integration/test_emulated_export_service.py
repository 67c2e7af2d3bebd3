"""The emulated export service: AWS's rules and codes, on the wire."""

import base64
import dataclasses
import functools
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import moto
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import backend_index
from moto.core.base_backend import BackendDict
from moto.moto_server import werkzeug_app
from samples import CUSTOMS, MANIFEST, manifest_file

from s3export.domain.errors import AwsError, Unreachable
from s3export.domain.jobs import JobId
from s3export.entrypoints.sandbox import importexport
from s3export.entrypoints.sandbox.importexport.dock import LoadingDock
from s3export.entrypoints.sandbox.importexport.models import importexport_backends
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
    """The module's server, without buckets and jobs."""
    BackendDict.reset()
    return started


@pytest.fixture(params=["in process", "server"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A boto3 client, in process and over HTTP, with the buckets made."""
    if request.param == "server":
        server: SandboxServer = request.getfixturevalue("server")
        make_buckets(client_of("s3", server.endpoint_url))
        yield client_of("importexport", server.endpoint_url)
        return
    importexport.register()
    with moto.mock_aws():
        make_buckets(client_of("s3"))
        yield client_of("importexport")


@functools.cache
def client_of(service: str, endpoint_url: str | None = None) -> Any:
    """Return a client that sends what it is given, missing parameters included."""
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
        config=Config(parameter_validation=False),
    )


def make_buckets(s3: Any) -> None:
    """Make the sample manifest's buckets, and one in another region."""
    for bucket in ("foo-bucket", "foo_bucket", "export-log-bucket"):
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
        ("returnAddress", "someAddress", "MissingManifestField"),
        ("  - exportBucket", "  exportBucket", "InvalidManifestField"),
        ("foo-bucket", "[foo-bucket]", "InvalidManifestField"),
        ("export-log-bucket", "[export-log-bucket]", "InvalidManifestField"),
        ("EXT4", "[NTFS|EXT4]", "InvalidFileSystem"),
        ("USA", "[USA]", "InvalidAddress"),
        ("1 Example Street", "[1 Example Street]", "InvalidAddress"),
        ("fileSystem: EXT4", "fileSystem: FAT32", "InvalidFileSystem"),
        ("logPrefix: logs/", f"logPrefix: {'x' * 1020}", "InvalidManifestField"),
        ("pinCode", "serviceLevel: overnight\npinCode", "InvalidManifestField"),
        ("foo-bucket", "no-such-bucket", "NoSuchBucket"),
        ("logBucket: export-log", "logBucket: no-such", "NoSuchBucket"),
        ("foo-bucket", "far-away-bucket", "MultipleRegions"),
        ("  city: Seattle\n", "", "MissingManifestField"),
        ("  stateOrProvince: WA\n", "", "MissingManifestField"),
        ("1 Example Street", "P.O. Box 12", "InvalidAddress"),
        ("USA", "Germany", "MissingCustoms"),
        ("pinCode", "customs:\n  deviceType: tape\npinCode", "MissingCustoms"),
        ("pinCode", "customs: none\npinCode", "InvalidCustoms"),
        ("pinCode", "accessKeyId: AKIAOTHEROTHEROTHER0\npinCode", "InvalidAccessKeyId"),
    ],
)
def test_each_fault_has_its_code(client: Any, old: str, new: str, code: str) -> None:
    """One thing is wrong, and boto3 raises the exception that AWS documents for it."""
    expected = getattr(client.exceptions, f"{code}Exception")

    with pytest.raises(expected):
        create(client, MANIFEST.replace(old, new))

    assert client.list_jobs()["Jobs"] == []


ABROAD = MANIFEST.replace("USA", "Germany") + CUSTOMS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("encryptedData: yes", "encryptedData: perhaps"),
        ("encryptedData: yes", "encryptedData: [yes]"),
        ("requiresExportLicense: no", "requiresExportLicense: none"),
        ("externalStorageDevice", "tape"),
        ("externalStorageDevice", "[sataDrive | usbFlashDrive]"),
    ],
)
def test_customs_are_checked(client: Any, old: str, new: str) -> None:
    """A device goes abroad with complete customs, and with no others."""
    assert "JobId" in create(client, ABROAD)

    with pytest.raises(client.exceptions.InvalidCustomsException):
        create(client, ABROAD.replace(old, new))


@pytest.mark.parametrize("parameter", ["JobType", "Manifest"])
def test_a_parameter_that_is_not_sent_is_missing(client: Any, parameter: str) -> None:
    """Creating and updating name it; a client of one's own may leave it out."""
    call = {"JobType": "Export", "Manifest": MANIFEST, "ValidateOnly": False}
    job_id = client.create_job(**call)["JobId"]
    del call[parameter]

    with pytest.raises(client.exceptions.MissingParameterException, match=parameter):
        client.create_job(**call)
    with pytest.raises(client.exceptions.MissingParameterException, match=parameter):
        client.update_job(JobId=job_id, **call)


def test_an_unknown_job_has_awss_own_message(client: Any) -> None:
    """Every operation on a job refuses one that is not there."""
    update = {"JobType": "Export", "Manifest": MANIFEST, "ValidateOnly": False}
    calls: tuple[Callable[[], object], ...] = (
        lambda: client.get_status(JobId="fake_job"),
        lambda: client.cancel_job(JobId="fake_job"),
        lambda: client.update_job(JobId="fake_job", **update),
        lambda: client.get_shipping_label(jobIds=["fake_job"]),
    )
    for call in calls:
        with pytest.raises(
            client.exceptions.InvalidJobIdException,
            match="No such job fake_job for your account",
        ):
            call()


def test_an_odd_bucket_name_is_a_warning(client: Any) -> None:
    """The job is created all the same, and updating warns again."""
    manifest = MANIFEST.replace("foo-bucket", "foo_bucket")

    answer = create(client, manifest)
    updated = client.update_job(
        JobId=answer["JobId"], Manifest=manifest, JobType="Export", ValidateOnly=False
    )

    assert "foo_bucket" in answer["WarningMessage"]
    assert "foo_bucket" in updated["WarningMessage"]
    assert "WarningMessage" not in create(client)


@pytest.mark.parametrize("job_type", ["Import", "Neither"])
def test_other_types_of_jobs_are_refused(client: Any, job_type: str) -> None:
    """Only exports are emulated."""
    with pytest.raises(client.exceptions.InvalidParameterException):
        create(client, JobType=job_type)


def test_the_key_that_signs_may_stand_in_the_manifest(server: SandboxServer) -> None:
    """An accessKeyId that is the request's own is accepted."""
    make_buckets(client_of("s3", server.endpoint_url))
    client = client_of("importexport", server.endpoint_url)

    assert create(client, f"{MANIFEST}accessKeyId: {ACCESS_KEY}\n")["JobId"]


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(manifest_file("s3x-head-filled.yml"), id="s3export_backup's"),
        pytest.param(manifest_file("s3x-older-filled.yml"), id="an older one of it"),
        pytest.param(manifest_file("net-export-filled.yml"), id="the .NET SDK's"),
        pytest.param(manifest_file("java-export-filled.yml"), id="the Java SDK's"),
        pytest.param(manifest_file("aws-template-filled.txt"), id="AWS's template"),
        pytest.param("\ufeff" + MANIFEST, id="with a byte order mark"),
        pytest.param(
            MANIFEST.replace("2.0", "2.0;"), id="a version as in the CLI's example"
        ),
        pytest.param(
            MANIFEST + 'substitutions:\n  "$COLON$" : ":"\n', id="substitutions"
        ),
    ],
)
def test_manifests_as_awss_own_tools_write_them_are_accepted(
    client: Any, manifest: str
) -> None:
    """A job comes of it, and the service holds the text as it was sent."""
    job_id = create(client, manifest)["JobId"]

    assert client.get_status(JobId=job_id)["CurrentManifest"] == manifest


@pytest.mark.parametrize(
    ("manifest", "code"),
    [
        pytest.param(manifest_file(name), code, id=name)
        for name, code in {
            "s3x-head.yml": "InvalidManifestField",
            "s3x-older.yml": "MalformedManifest",
            "net-export.yml": "MalformedManifest",
            "java-export.yml": "MalformedManifest",
            "aws-template.txt": "InvalidManifestField",
            "guide-2011.yml": "MalformedManifest",
            "guide-2011-filled.yml": "MissingManifestField",
            "cli-create-job.yml": "MissingManifestField",
            "cli-get-status.yml": "MissingManifestField",
            "path-instead-of-text.yml": "MalformedManifest",
            "js-feature.yml": "MissingManifestField",
            "js-feature-filled.yml": "MissingManifestField",
            "net-import.yml": "MalformedManifest",
            "net-import-filled.yml": "MissingManifestField",
            "gen-output.yml": "MissingManifestField",
        }.items()
    ]
    + [
        pytest.param(
            manifest_file("net-export-filled.yml").replace(ACCESS_KEY, "AAAEXAMPLE"),
            "InvalidAccessKeyId",
            id="another's access key",
        ),
        pytest.param(
            MANIFEST + "customs:\n  deviceType: [sataDrive|usbFlashDrive\n",
            "MalformedManifest",
            id="a bracket that is not closed",
        ),
        pytest.param(
            MANIFEST.replace("HD001", "***HD001***"),
            "MalformedManifest",
            id="asterisks as in the guide of 2011",
        ),
        pytest.param(
            MANIFEST.replace("  city", "\tcity"), "MalformedManifest", id="a TAB"
        ),
        pytest.param(
            MANIFEST.replace("name: Jo", "name: ATTN: Jo"),
            "MalformedManifest",
            id="a second colon with a blank",
        ),
        pytest.param("- " * 3, "MalformedManifest", id="a list"),
        pytest.param("a: " + "[" * 2000, "MalformedManifest", id="too deep"),
        pytest.param(
            MANIFEST + "x: &x [*x]\n", "MalformedManifest", id="a list within itself"
        ),
    ],
)
def test_manifests_that_no_job_can_come_of_are_refused(
    client: Any, manifest: str, code: str
) -> None:
    """The service answers with a code, and does not break."""
    with pytest.raises(getattr(client.exceptions, f"{code}Exception")):
        create(client, manifest)


SECRET = "correct-horse"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            "pinCode: 0123", f"trueCryptPassword: @{SECRET}", id="a reserved character"
        ),
        pytest.param(
            "pinCode: 0123", f"trueCryptPassword: *{SECRET}", id="an unknown alias"
        ),
        pytest.param(
            "pinCode: 0123", f"trueCryptPassword: !{SECRET}!x y", id="an unknown tag"
        ),
        pytest.param(
            "pinCode: 0123",
            f"trueCryptPassword: &{SECRET} a\npinCode: &{SECRET} b",
            id="an anchor set twice",
        ),
        pytest.param(
            "pinCode: 0123",
            f"trueCryptPassword: a: {SECRET}",
            id="a second colon with a blank",
        ),
        pytest.param(
            "pinCode: 0123",
            f"trueCryptPassword: {{{SECRET}, {SECRET}}}",
            id="a field that occurs twice",
        ),
        pytest.param(
            "fileSystem: EXT4\n",
            f"fileSystem:\n  trueCryptPassword: {SECRET}\n",
            id="indented below fileSystem",
        ),
        pytest.param(
            "pinCode: 0123",
            f"pinCode: 0123\nserviceLevel:\n  trueCryptPassword: {SECRET}",
            id="indented below serviceLevel",
        ),
        pytest.param(
            "logBucket: export-log-bucket",
            f'logBucket: "export-log-bucket\n  trueCryptPassword: {SECRET}"',
            id="within logBucket's quotes",
        ),
        pytest.param(
            "exportBucket: foo-bucket",
            f"exportBucket: foo-bucket\n    {SECRET}",
            id="in the line after exportBucket",
        ),
    ],
)
def test_a_refusal_does_not_repeat_what_the_manifest_says(
    client: Any, old: str, new: str
) -> None:
    """A password may stand anywhere in a manifest that is wrong."""
    assert old in MANIFEST

    with pytest.raises(ClientError) as caught:
        create(client, MANIFEST.replace(old, new))

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pinCode: 0123", "pinCode: @0123", "not well-formed: line 6$"),
        ("pinCode: 0123", "pinCode: \x1b0123", "not well-formed: line 6$"),
        ("pinCode: 0123", "pinCode:1\npinCode:2", "line 7 occurs twice$"),
        ("foo-bucket", "no-such-bucket", r"operations\[0\]\.exportBucket "),
        ("export-log-bucket", "no-such-bucket", "logBucket "),
        ("EXT4", "FAT32", "fileSystem .*NTFS"),
    ],
)
def test_a_refusal_names_the_line_or_the_field(
    client: Any, old: str, new: str, message: str
) -> None:
    """An operator finds the mistake although the message does not repeat it."""
    with pytest.raises(ClientError, match=message):
        create(client, MANIFEST.replace(old, new))


NOT_IN_XML = ["\x00", "\x08", "\x0b", "\x1b", "\x1f", "\ufffe", "\uffff"]


@pytest.mark.parametrize("character", NOT_IN_XML, ids=ascii)
def test_a_refusal_can_be_read_whatever_was_asked_for(
    client: Any, character: str
) -> None:
    """XML cannot carry some characters, and the messages repeat job ids."""
    name = f"a{character}b"

    with pytest.raises(client.exceptions.InvalidJobIdException, match="No such job a"):
        client.get_status(JobId=name)
    with pytest.raises(client.exceptions.InvalidJobIdException, match="No such job a"):
        client.get_shipping_label(jobIds=[name])
    with pytest.raises(client.exceptions.InvalidParameterException, match="Marker a"):
        client.list_jobs(Marker=name)
    with pytest.raises(client.exceptions.InvalidParameterException, match="JobType"):
        create(client, JobType=name)
    with pytest.raises(client.exceptions.MalformedManifestException):
        create(client, MANIFEST.replace("HD001", name))


@pytest.mark.parametrize("escape", ["\\0", "\\e", "\\v", "\\ud800", "\\ufffe"])
@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("logPrefix: logs/", "InvalidManifestField"),
        ("exportBucket: foo-bucket", "InvalidManifestField"),
        ("city: Seattle", "InvalidAddress"),
    ],
)
def test_escapes_that_no_reply_can_carry_are_refused(
    client: Any, field: str, code: str, escape: str
) -> None:
    """YAML writes as an escape what XML cannot write at all."""
    name, _, value = field.partition(": ")
    manifest = MANIFEST.replace(field, f'{name}: "{value}{escape}"')

    with pytest.raises(getattr(client.exceptions, f"{code}Exception"), match=name):
        create(client, manifest)


def test_an_escape_beyond_unicode_is_malformed(client: Any) -> None:
    """PyYAML breaks on such an escape; the service does not."""
    for escape in ("\\U00110000", "\\UFFFFFFFF"):
        with pytest.raises(client.exceptions.MalformedManifestException):
            create(client, MANIFEST.replace("HD001", f'"{escape}"'))


@pytest.mark.parametrize("character", [*NOT_IN_XML, "\ud800"], ids=ascii)
def test_a_status_can_be_read_whatever_the_facility_told(
    server: SandboxServer, character: str
) -> None:
    """What XML cannot carry stands as a replacement character in the reply."""
    make_buckets(client_of("s3", server.endpoint_url))
    client = client_of("importexport", server.endpoint_url)
    job_id = JobId(create(client)["JobId"])
    dock = LoadingDock(server.endpoint_url)
    dock.received(job_id)
    dock.started(job_id)

    dock.finished(job_id, "Success", log_bucket="logs", log_key=f"a{character}b")
    dock.returned(job_id, "UPS", f"1{character}Z")

    status = client.get_status(JobId=job_id)
    assert (status["LogKey"], status["TrackingNumber"]) == ("a\ufffdb", "1\ufffdZ")


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


def test_an_update_signs_anew(client: Any) -> None:
    """The signature covers the manifest; validating an update leaves both alone."""
    created = create(client)
    call = {
        "JobId": created["JobId"],
        "JobType": "Export",
        "Manifest": MANIFEST.replace("HD001", "HD002"),
    }

    client.update_job(**call, ValidateOnly=True)
    validated = client.get_status(JobId=created["JobId"])
    client.update_job(**call, ValidateOnly=False)
    updated = client.get_status(JobId=created["JobId"])

    assert validated["Signature"] == created["Signature"]
    assert validated["CurrentManifest"] == MANIFEST
    assert updated["Signature"] != created["Signature"]
    assert f"signature:{updated['Signature']}\n" in updated["SignatureFileContents"]
    assert updated["CurrentManifest"] == call["Manifest"]


def test_line_ends_do_not_change_a_signature(client: Any) -> None:
    """CRLF signs as LF does, as the guide of 2009 describes it."""
    created = create(client)

    client.update_job(
        JobId=created["JobId"],
        JobType="Export",
        Manifest=MANIFEST.replace("\n", "\r\n"),
        ValidateOnly=False,
    )

    signature = client.get_status(JobId=created["JobId"])["Signature"]
    assert signature == created["Signature"]


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


@pytest.mark.parametrize("most", [-1, 1001])
def test_a_page_is_of_0_to_1000_jobs(client: Any, most: int) -> None:
    """A page of none is possible; it tells that jobs follow."""
    create(client)
    with pytest.raises(client.exceptions.InvalidParameterException, match="MaxJobs"):
        client.list_jobs(MaxJobs=most)

    nothing = client.list_jobs(MaxJobs=0)

    assert (nothing["Jobs"], nothing["IsTruncated"]) == ([], True)
    assert len(client.list_jobs(MaxJobs=1000)["Jobs"]) == 1


def test_a_label_lies_in_the_first_jobs_log_bucket(client: Any) -> None:
    """The sender's address is optional, and checked where it is given."""
    jobs = [create(client)["JobId"] for _ in range(2)]

    url = client.get_shipping_label(jobIds=jobs)["ShippingLabelURL"]

    assert url == (
        f"https://s3.amazonaws.com/export-log-bucket/shipping-label-{jobs[0]}.pdf"
    )
    with pytest.raises(client.exceptions.InvalidAddressException, match="street1"):
        client.get_shipping_label(jobIds=jobs, name="Jo Operator")
    with pytest.raises(client.exceptions.InvalidParameterException, match="jobIds"):
        client.get_shipping_label(jobIds=[])


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


def test_a_device_that_came_in_time_does_not_expire(client: Any) -> None:
    """The 30th day is in time; after it only a device at AWS keeps its job alive."""
    waiting, arrived = (create(client)["JobId"] for _ in range(2))
    backend = importexport_backends[ACCOUNT]["aws"]
    deadline = backend.jobs[waiting].created + timedelta(days=30)
    backend.now = lambda: deadline
    assert client.get_status(JobId=waiting)["ProgressCode"] == "Pending"
    backend.receive(arrived)

    backend.now = lambda: deadline + timedelta(seconds=1)

    assert client.get_status(JobId=waiting)["ProgressCode"] == "Expired"
    assert client.get_status(JobId=arrived)["ProgressCode"] == "Pending"
    with pytest.raises(client.exceptions.ExpiredJobIdException):
        client.update_job(
            JobId=waiting, Manifest=MANIFEST, JobType="Export", ValidateOnly=False
        )


def test_fifty_jobs_a_day_are_the_limit(client: Any) -> None:
    """The next day there is room again."""
    for _ in range(50):
        create(client)
    with pytest.raises(client.exceptions.CreateJobQuotaExceededException):
        create(client)
    create(client, ValidateOnly=True)

    backend = importexport_backends[ACCOUNT]["aws"]
    backend.now = lambda: datetime.now(UTC) + timedelta(days=1, seconds=1)
    create(client)


def test_a_device_goes_through_the_facility(server: SandboxServer) -> None:
    """Received, started, finished, returned; the status tells each step."""
    make_buckets(client_of("s3", server.endpoint_url))
    client = client_of("importexport", server.endpoint_url)
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
    make_buckets(client_of("s3", server.endpoint_url))
    client = client_of("importexport", server.endpoint_url)
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


@pytest.mark.parametrize(
    "progress", ["MissingSignature", "InvalidSignature", "DeviceError"]
)
def test_a_job_can_end_before_its_transfer_begins(
    server: SandboxServer, progress: str
) -> None:
    """A device that cannot be loaded goes home without a log."""
    make_buckets(client_of("s3", server.endpoint_url))
    client = client_of("importexport", server.endpoint_url)
    job_id = JobId(create(client)["JobId"])
    dock = LoadingDock(server.endpoint_url)
    dock.received(job_id)

    dock.finished(job_id, progress)
    dock.returned(job_id, "UPS", "1Z")

    status = client.get_status(JobId=job_id)
    assert (status["LocationCode"], status["ProgressCode"]) == ("Returned", progress)
    assert not {"LogBucket", "LogKey"} & set(status)


STEPS: dict[str, Callable[[Any, LoadingDock, JobId], object]] = {
    "received": lambda client, dock, job: dock.received(job),
    "started": lambda client, dock, job: dock.started(job),
    "Success": lambda client, dock, job: dock.finished(job, "Success", log_key="k"),
    "SuccessWithErrors": lambda client, dock, job: dock.finished(
        job, "SuccessWithErrors", error_count=3
    ),
    "MissingSignature": lambda client, dock, job: dock.finished(
        job, "MissingSignature"
    ),
    "InvalidSignature": lambda client, dock, job: dock.finished(
        job, "InvalidSignature"
    ),
    "DeviceError": lambda client, dock, job: dock.finished(job, "DeviceError"),
    "finished as cancelled": lambda client, dock, job: dock.finished(job, "Canceled"),
    "finished as expired": lambda client, dock, job: dock.finished(job, "Expired"),
    "returned": lambda client, dock, job: dock.returned(job, "UPS", "1Z"),
    "cancelled": lambda client, dock, job: client.cancel_job(JobId=job),
    "updated": lambda client, dock, job: client.update_job(
        JobId=job,
        Manifest=MANIFEST.replace("HD001", "HD002"),
        JobType="Export",
        ValidateOnly=False,
    ),
}
LEGAL: dict[tuple[str, ...], set[str]] = {
    (): {"received", "cancelled", "updated"},
    ("received",): {
        "started",
        "MissingSignature",
        "InvalidSignature",
        "DeviceError",
        "cancelled",
        "updated",
    },
    ("received", "started"): {"Success", "SuccessWithErrors", "DeviceError"},
    ("received", "started", "Success"): {"returned"},
    ("received", "started", "DeviceError"): {"returned"},
    ("received", "InvalidSignature"): {"returned"},
    ("received", "started", "Success", "returned"): set(),
    ("received", "InvalidSignature", "returned"): set(),
    ("cancelled",): set(),
    ("received", "cancelled"): {"returned"},
}


@pytest.mark.parametrize(
    ("steps", "step"),
    [(steps, step) for steps in LEGAL for step in STEPS],
    ids=lambda names: names if isinstance(names, str) else ", ".join(names) or "new",
)
def test_a_step_is_legal_or_changes_nothing(
    server: SandboxServer, steps: tuple[str, ...], step: str
) -> None:
    """A job is received, started, finished and returned, each once, in this order."""
    make_buckets(client_of("s3", server.endpoint_url))
    client = client_of("importexport", server.endpoint_url)
    dock = LoadingDock(server.endpoint_url)
    job_id = JobId(create(client)["JobId"])
    for earlier in steps:
        STEPS[earlier](client, dock, job_id)
    before = dataclasses.replace(importexport_backends[ACCOUNT]["aws"].jobs[job_id])

    if step in LEGAL[steps]:
        STEPS[step](client, dock, job_id)
        assert importexport_backends[ACCOUNT]["aws"].jobs[job_id] != before
        return
    with pytest.raises((AwsError, ClientError), match=job_id):
        STEPS[step](client, dock, job_id)
    assert importexport_backends[ACCOUNT]["aws"].jobs[job_id] == before


def test_no_step_follows_the_last(server: SandboxServer) -> None:
    """A job ends once and its device returns once; ``InProgress`` ends nothing."""
    make_buckets(client_of("s3", server.endpoint_url))
    client = client_of("importexport", server.endpoint_url)
    job_id = JobId(create(client)["JobId"])
    dock = LoadingDock(server.endpoint_url)
    dock.received(job_id)
    dock.started(job_id)
    too_early: tuple[Callable[[], None], ...] = (
        lambda: dock.started(job_id),
        lambda: dock.returned(job_id, "UPS", "1Z"),
        lambda: dock.finished(job_id, "InProgress"),
    )
    for step in too_early:
        with pytest.raises(AwsError, match="InProgress"):
            step()
    dock.finished(job_id, "SuccessWithErrors", error_count=3)
    with pytest.raises(AwsError, match="SuccessWithErrors"):
        dock.finished(job_id, "Success")

    dock.returned(job_id, "UPS", "1Z")

    too_late: tuple[Callable[[], None], ...] = (
        lambda: dock.received(job_id),
        lambda: dock.finished(job_id, "Success"),
        lambda: dock.returned(job_id, "DHL", "2Z"),
    )
    for step in too_late:
        with pytest.raises(AwsError, match=job_id):
            step()
    status = client.get_status(JobId=job_id)
    assert (status["ProgressCode"], status["ErrorCount"]) == ("SuccessWithErrors", 3)
    assert status["Carrier"] == "UPS"


def test_a_cancelled_jobs_device_is_not_loaded(server: SandboxServer) -> None:
    """Cancelling is possible until the transfer starts; a device at AWS goes home."""
    make_buckets(client_of("s3", server.endpoint_url))
    client = client_of("importexport", server.endpoint_url)
    posted, arrived, loading = (JobId(create(client)["JobId"]) for _ in range(3))
    dock = LoadingDock(server.endpoint_url)
    dock.received(arrived)
    dock.received(loading)
    dock.started(loading)

    client.cancel_job(JobId=posted)
    client.cancel_job(JobId=arrived)
    with pytest.raises(client.exceptions.UnableToCancelJobIdException):
        client.cancel_job(JobId=loading)

    with pytest.raises(AwsError, match="canceled"):
        dock.received(posted)
    with pytest.raises(AwsError, match="canceled"):
        dock.started(arrived)
    with pytest.raises(AwsError, match="Canceled"):
        dock.finished(arrived, "DeviceError")
    dock.returned(arrived, "UPS", "1Z")
    assert dock.expected(arrived).location_code == "Returned"
    assert dock.expected(arrived).progress_code == "Canceled"


def test_another_server_has_no_dock(server: SandboxServer) -> None:
    """An address that is no sandbox is told from a job that is unknown."""
    with pytest.raises(AwsError, match="no sandbox"):
        LoadingDock(f"{server.endpoint_url}/some-bucket").expected(JobId("ZZZZZ"))


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


@pytest.mark.parametrize(
    ("module", "place"),
    [(backend_index, "backend_url_patterns"), (werkzeug_app, "SIGNING_ALIASES")],
)
def test_registering_fails_where_moto_has_changed(
    monkeypatch: pytest.MonkeyPatch, module: object, place: str
) -> None:
    """The place that is gone is named, and nothing is half-emulated in silence."""
    monkeypatch.delattr(module, place)

    with pytest.raises(AttributeError, match=place):
        importexport.register()


def test_a_reset_of_the_server_forgets_jobs_and_clocks(server: SandboxServer) -> None:
    """What moto's own reset does to its services it does to this one."""
    make_buckets(client_of("s3", server.endpoint_url))
    client = client_of("importexport", server.endpoint_url)
    job_id = create(client)["JobId"]
    importexport_backends[ACCOUNT]["aws"].now = lambda: datetime(2100, 1, 1, tzinfo=UTC)

    urllib.request.urlopen(
        f"{server.endpoint_url}/moto-api/reset", data=b"", timeout=10
    ).close()

    assert client.list_jobs()["Jobs"] == []
    with pytest.raises(client.exceptions.InvalidJobIdException):
        client.get_status(JobId=job_id)
    make_buckets(client_of("s3", server.endpoint_url))
    create(client)
    assert client.list_jobs()["Jobs"][0]["CreationDate"].year < 2100


def test_a_reset_forgets_the_jobs() -> None:
    """Each ``mock_aws()`` begins without any."""
    importexport.register()
    for _ in range(2):
        with moto.mock_aws():
            make_buckets(client_of("s3"))
            client = client_of("importexport")
            assert client.list_jobs()["Jobs"] == []
            create(client)
