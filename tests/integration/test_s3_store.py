"""S3 through boto3: against a moto server, and against servers that misbehave."""

import http.server
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from contracts.object_store_contract import BUCKET, ObjectStoreContract

from s3export.adapters.s3_store import S3Store
from s3export.domain import errors
from s3export.entrypoints.container import application
from s3export.entrypoints.sandbox.actions import s3_client
from s3export.entrypoints.sandbox.contents import put_in_parts
from s3export.entrypoints.sandbox.server import SandboxServer
from s3export.entrypoints.settings import Settings


@dataclass
class Store:
    store: S3Store
    client: Any

    def put(self, key: str, body: bytes, part_sizes: Sequence[int] = ()) -> None:
        if part_sizes:
            put_in_parts(self.client, BUCKET, key, body, part_sizes)
        else:
            self.client.put_object(Bucket=BUCKET, Key=key, Body=body)


@pytest.fixture
def arranged(server: SandboxServer) -> Store:
    client = s3_client(server)
    client.create_bucket(Bucket=BUCKET)
    return Store(S3Store(s3_client(server)), client)


class TestS3Store(ObjectStoreContract):
    """The contract, over HTTP."""


def test_a_part_beyond_the_last_is_not_told(arranged: Store) -> None:
    """A single-part object has no second part."""
    arranged.put("single", b"x")

    assert arranged.store.part(BUCKET, "single", 2) is None


def test_encryption_with_kms_is_told(arranged: Store) -> None:
    """An ETag that is no MD5 must not be taken for one."""
    arranged.client.put_object(
        Bucket=BUCKET, Key="k", Body=b"x", ServerSideEncryption="aws:kms"
    )

    facts = arranged.store.head(BUCKET, "k")

    assert facts is not None
    assert facts.encryption == "aws:kms"


Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def answering(
    answer: Callable[[str, str], Answer],
) -> Iterator[tuple[S3Store, list[str]]]:
    """Run a server that gives what ``answer(method, path)`` says; note the requests."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def respond(self) -> None:
            seen.append(f"{self.command} {self.path}")
            status, headers, body = answer(self.command, self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = respond

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{server.server_address[1]}",
            config=Config(retries={"mode": "standard", "total_max_attempts": 2}),
        )
        try:
            yield S3Store(client), seen
        finally:
            server.shutdown()


def error(status: int, code: str) -> Answer:
    """Return an error answer of S3."""
    body = f"<Error><Code>{code}</Code><Message>said the server</Message></Error>"
    return status, {"Content-Type": "application/xml"}, body.encode()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", errors.PermissionMissing),
        (403, "InvalidAccessKeyId", errors.CredentialsRejected),
        (403, "SignatureDoesNotMatch", errors.CredentialsRejected),
        (403, "RequestTimeTooSkewed", errors.CredentialsRejected),
        (400, "ExpiredToken", errors.CredentialsRejected),
        (404, "NoSuchBucket", errors.NoSuchBucket),
        (503, "SlowDown", errors.Throttled),
        (418, "Teapot", errors.AwsFailed),
    ],
)
def test_error_answers_become_errors_an_operator_can_act_on(
    status: int, code: str, kind: type[errors.AwsError]
) -> None:
    """The class says what to do, the message names the thing, in one line."""
    with (
        answering(lambda method, path: error(status, code)) as (store, _),
        pytest.raises(kind) as raised,
    ):
        list(store.list_objects("some-bucket"))

    assert type(raised.value) is kind
    assert "s3://some-bucket" in raised.value.message
    assert "\n" not in raised.value.message


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, errors.PermissionMissing), (503, errors.Throttled), (500, errors.AwsFailed)],
)
def test_answers_to_head_have_no_body_and_are_still_told_apart(
    status: int, kind: type[errors.AwsError]
) -> None:
    """S3 sends no error code with HEAD; the status must do."""
    with (
        answering(lambda method, path: (status, {}, b"")) as (store, _),
        pytest.raises(kind),
    ):
        store.head("some-bucket", "key")


def test_throttling_is_retried_and_the_retries_are_counted() -> None:
    """A request that succeeds at the second try counts as two."""
    answers = iter([error(503, "SlowDown"), (200, {"ETag": '"x"'}, b"")])

    with answering(lambda method, path: next(answers)) as (store, seen):
        store.check_bucket("some-bucket")

        assert len(seen) == 2
        assert store.requests() == {"HEAD": 2}


def test_an_object_under_a_customers_key_is_known_by_its_size() -> None:
    """HEAD is refused with 400; the listing tells that it is there."""
    listing = (
        b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents>"
        b"<Key>secret</Key><Size>7</Size><ETag>&quot;abc&quot;</ETag>"
        b"<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        b"</Contents></ListBucketResult>"
    )

    def answer(method: str, path: str) -> Answer:
        return (400, {}, b"") if method == "HEAD" else (200, {}, listing)

    with answering(answer) as (store, _):
        facts = store.head("some-bucket", "secret")

    assert facts is not None
    assert facts.customer_key
    assert facts.size_bytes == 7


def test_a_server_that_ignores_part_numbers_tells_no_number_of_parts() -> None:
    """Its answer is for the whole object; without PartsCount it is not trusted."""
    headers = {"ETag": '"x-2"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}

    with answering(lambda method, path: (200, headers, b"")) as (store, _):
        part = store.part("some-bucket", "key", 1)

    assert part is not None
    assert part.parts is None


def test_a_body_that_ends_early_is_an_error() -> None:
    """A connection that is cut off never looks like a whole object."""

    def answer(method: str, path: str) -> Answer:
        return 200, {"ETag": '"x"', "Content-Length": "99"}, b"short"

    with (
        answering(answer) as (store, _),
        pytest.raises(errors.AwsError, match="s3://some-bucket/key"),
    ):
        b"".join(store.read("some-bucket", "key"))


def test_nobody_listening_is_unreachable() -> None:
    """The endpoint is in the message."""
    store = application(
        Settings(endpoint_url="http://127.0.0.1:9")
    ).adapters.object_store()

    with pytest.raises(errors.Unreachable, match=r"127\.0\.0\.1:9"):
        store.head("bucket", "key")


def test_no_credentials_are_missed_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next step names the variables."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = application(Settings()).adapters.object_store()

    with pytest.raises(errors.CredentialsMissing) as missing:
        store.head("bucket", "key")

    assert "AWS_ACCESS_KEY_ID" in missing.value.next_step
    assert store.requests() == {}


def test_a_buckets_region_is_told_to_who_may_not_list_it() -> None:
    """AWS's refusal has it in a header; without the header it is a refusal."""
    client = boto3.client(
        "s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    store = S3Store(client)
    with Stubber(client) as stubber:
        told = {"HTTPHeaders": {"x-amz-bucket-region": "eu-west-1"}}
        for metadata in (told, {}):
            stubber.add_client_error(
                "head_bucket",
                "403",
                http_status_code=403,
                response_meta=metadata,
            )

        assert store.region("theirs") == "eu-west-1"
        with pytest.raises(errors.PermissionMissing) as refused:
            store.region("theirs")
        # An answer to HEAD does not say which of the two it is.
        assert "credentials are known" in refused.value.next_step
        assert "s3:ListBucket" in refused.value.next_step


@pytest.mark.parametrize(
    ("region", "options", "service"),
    [
        ("us-east-1", {}, "aws"),
        ("eu-west-3", {}, "aws"),
        ("eu-west-3", {"use_dualstack_endpoint": True}, "aws"),
        ("us-west-2", {"use_fips_endpoint": True}, "aws"),
        ("us-gov-west-1", {}, "aws-us-gov"),
        ("cn-north-1", {}, "aws-cn"),
        ("eusc-de-east-1", {}, "aws-eusc"),
    ],
)
def test_the_partition_is_the_service(
    region: str, options: dict[str, bool], service: str
) -> None:
    """A bucket's name is given once in a partition, whatever region is asked."""
    client = boto3.client("s3", region_name=region, config=Config(**options))

    assert S3Store(client).service() == service


@pytest.mark.parametrize(
    ("url", "service"),
    [
        ("http://localhost:9000", "http://localhost:9000"),
        ("https://user:secret@minio.example/s3", "https://minio.example/s3"),
        ("https://s3.example.com", "https://s3.example.com"),
        ("https://S3.Example.com:443/", "https://s3.example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:9000/", "http://[::1]:9000"),
        ("https://notamazonaws.com", "https://notamazonaws.com"),
        ("https://bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com", "aws"),
    ],
)
def test_another_server_is_a_service_of_its_own(url: str, service: str) -> None:
    """Known by its address, without what may be secret in it."""
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=url)

    assert S3Store(client).service() == service
