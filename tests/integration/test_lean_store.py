"""Bodies and listings that are fetched past boto3."""

import base64
import contextlib
import ipaddress
import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import Credentials
from contracts.object_store_contract import (
    BUCKET,
    ODD_KEYS,
    ObjectStoreContract,
    all_of,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from fixtures.aws_s3 import AwsS3
from fixtures.aws_s3_objects import Stored
from fixtures.raw_server import RawServer, Then, answer

from s3export.adapters.lean_store import LeanS3Store
from s3export.adapters.s3_store import S3Store
from s3export.domain import errors
from s3export.domain.secret import Secret
from s3export.entrypoints.sandbox.actions import s3_client
from s3export.entrypoints.sandbox.contents import put_in_parts
from s3export.entrypoints.sandbox.server import (
    ACCESS_KEY,
    SECRET_KEY,
    SandboxServer,
)

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def learnt(store: LeanS3Store, bucket: str = BUCKET) -> LeanS3Store:
    """Return the store after it has learned where the bucket is."""
    list(store.list_objects(bucket, prefix="nothing begins so"))
    return store


def lean_store(endpoint_url: str, token: str = "", **config: Any) -> LeanS3Store:
    """Return a store that talks to a server."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        aws_session_token=token or None,
        config=Config(
            s3={"addressing_style": "path"},
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": 2},
            **config,
        ),
    )
    credentials = Credentials(KEY_ID, SECRET, token or None)
    return LeanS3Store(client, credentials=lambda: credentials)


@dataclass
class OnMoto:
    store: LeanS3Store
    client: Any

    def put(self, key: str, body: bytes, part_sizes: Sequence[int] = ()) -> None:
        if part_sizes:
            put_in_parts(self.client, BUCKET, key, body, part_sizes)
        else:
            self.client.put_object(Bucket=BUCKET, Key=key, Body=body)


class TestLeanS3StoreOnMoto(ObjectStoreContract):
    """The contract, over HTTP."""

    @pytest.fixture
    def arranged(self, server: SandboxServer) -> Iterator[OnMoto]:
        client = s3_client(server)
        client.create_bucket(Bucket=BUCKET)
        credentials = Credentials(ACCESS_KEY, SECRET_KEY)
        store = LeanS3Store(s3_client(server), credentials=lambda: credentials)
        yield OnMoto(learnt(store), client)
        store.close()


@dataclass
class OnAws:
    store: LeanS3Store
    aws: AwsS3

    def put(self, key: str, body: bytes, part_sizes: Sequence[int] = ()) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        stored = Stored(body, part_sizes=tuple(part_sizes), modified_at=now)
        self.aws.put(BUCKET, key, stored)


@pytest.fixture
def aws() -> Iterator[AwsS3]:
    with AwsS3() as server:
        server.create_bucket(BUCKET)
        server.create_bucket("versions", versioned=True)
        yield server


@pytest.fixture
def on_aws(aws: AwsS3) -> Iterator[OnAws]:
    store = learnt(lean_store(aws.endpoint_url))
    yield OnAws(store, aws)
    store.close()


class TestLeanS3StoreOnAws(ObjectStoreContract):
    """The contract, with the answers of AWS."""

    @pytest.fixture
    def arranged(self, on_aws: OnAws) -> OnAws:
        return on_aws


@contextmanager
def answering(
    *answers: bytes | Then, tls: ssl.SSLContext | None = None, **settings: Any
) -> Iterator[tuple[LeanS3Store, RawServer]]:
    """Run a server that gives these answers to who asks for objects; then plain ones.

    The store has learned from boto3 where the bucket is.
    """
    with RawServer(list(answers), tls=tls) as server:
        scheme = "https" if tls else "http"
        store = lean_store(f"{scheme}://127.0.0.1:{server.port}", **settings)
        yield learnt(store), server
        store.close()


def content(store: LeanS3Store, key: str = "key") -> bytes:
    """Return an object's bytes."""
    with store.open(BUCKET, key) as body:
        return all_of(body)


def test_boto3_is_asked_once_and_its_way_is_gone_from_then_on() -> None:
    """One connection serves all that is asked one after the other."""
    with RawServer() as server:
        store = lean_store(f"http://127.0.0.1:{server.port}")
        for _ in range(4):
            assert content(store) == b"plain"

        lean, slow = server.objects_asked()
        assert (len(lean), len(slow)) == (3, 1)
        assert server.connections == 2
        assert store.requests() == {"GET": 4}
        assert store.bytes_downloaded() == 20
        store.close()


@pytest.mark.parametrize("key", [*ODD_KEYS, "..", ".", "\x01\x1f", "\r\n", "\x00"])
def test_the_same_is_asked_for_as_boto3_would(key: str) -> None:
    """The target, to the byte: no key is normalised on its way."""
    with answering() as (store, server):
        content(store, key)
        store._routes.clear()
        content(store, key)

        (lean,), (slow,) = server.objects_asked()
        assert lean.split(b"\r\n")[0] == slow.split(b"\r\n")[0]


@pytest.mark.parametrize("key", ["\x01\x1f\x7f\x80", "\r\n", "a\nb", "..", "."])
def test_control_characters_of_keys_are_kept(on_aws: OnAws, key: str) -> None:
    """S3 permits them."""
    on_aws.put(key, b"it")
    on_aws.put(key.strip() or "other", b"another")
    on_aws.put(key, b"it")

    assert content(on_aws.store, key) == b"it"


ODDITIES = {
    "an error": answer(b"<Error/>", "404 Not Found"),
    "a redirect": answer(b"", "307 Temporary Redirect", Location="http://127.0.0.1:9/"),
    "nothing to a fresh connection": Then(b""),
    "a reset": Then(b"", "reset"),
    "no status": b"plain\r\n\r\n",
    "another version": answer(b"plain").replace(b"1.1", b"2.0"),
    "half a head": Then(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "no end of the head": Then(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000),
    "a folded header": answer(b"plain", A="b\r\n c"),
    "no length": Then(answer(b"plain", Content_Length="")),
    "two lengths": answer(b"plain", **{"content-length": "6"}),
    "a length that is none": answer(b"plain", Content_Length="+5"),
    "a length beyond all": Then(answer(b"plain", Content_Length="9" * 5_000)),
    "a time beyond all": answer(
        b"plain", Last_Modified="Fri, 31 Dec 9999 23:59:59 -2359"
    ),
    "another protocol": answer(b"", "101 Switching Protocols"),
    "a part where all was asked for": answer(
        b"plai", "206 Partial Content", Content_Range="bytes 0-3/5"
    ),
    "no time": answer(b"plain", Last_Modified=""),
    "no time that can be read": answer(b"plain", Last_Modified="tomorrow"),
    "unexpected coding": answer(b"", Transfer_Encoding="gzip, chunked"),
}


@pytest.mark.parametrize("oddity", ODDITIES.values(), ids=ODDITIES.keys())
def test_what_is_no_plain_answer_is_left_to_boto3(oddity: bytes | Then) -> None:
    """The caller gets the object, and no word of what went before; all is counted."""
    with answering(oddity) as (store, server):
        before = store.requests().get("GET", 0)

        assert content(store) == b"plain"
        assert content(store) == b"plain"

        lean, slow = server.objects_asked()
        assert (len(lean), len(slow)) == (2, 1)
        assert store.requests()["GET"] - before == 3


def test_chunks_are_left_to_boto3_and_the_length_is_asked_for() -> None:
    """A body of which the length is not told before it comes is had all the same."""
    chunked = answer(b"", Content_Length="", Transfer_Encoding="chunked")
    chunked += b"3;x=y\r\npla\r\n2\r\nin\r\n0\r\n\r\n"

    with answering(chunked, chunked) as (store, _):
        with store.open(BUCKET, "key") as body:
            assert all_of(body) == b"plain"
            assert body.facts.size_bytes == 5
        assert store.requests()["HEAD"] == 1


def test_an_interim_answer_is_passed_over() -> None:
    """100 Continue, which nobody asked for, and 103."""
    noise = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"

    with answering(noise + answer(b"noisy")) as (store, server):
        assert content(store) == b"noisy"
        assert content(store) == b"plain"

        lean, slow = server.objects_asked()
        assert (len(lean), len(slow)) == (2, 0)


@pytest.mark.parametrize("end", [Then(b"", "close"), Then(b"", "reset")])
def test_a_connection_that_was_closed_meanwhile_is_replaced(end: Then) -> None:
    """The request is sent once more, on a fresh one; boto3 is not needed."""
    with answering(answer(b"first"), end) as (store, server):
        assert content(store) == b"first"
        assert content(store) == b"plain"

        lean, slow = server.objects_asked()
        assert (len(lean), len(slow)) == (3, 0)
        assert store.requests()["GET"] == 3


@pytest.mark.parametrize(
    "first",
    [
        Then(answer(b"first"), "close"),
        answer(b"first", Connection="close"),
        answer(b"first").replace(b"1.1", b"1.0"),
    ],
)
def test_a_connection_that_ends_is_not_used_again(first: bytes | Then) -> None:
    """Whether the server says so, or just closes it."""
    with answering(first) as (store, server):
        assert content(store) == b"first"
        assert content(store) == b"plain"

        lean, slow = server.objects_asked()
        assert (len(lean) - len(slow), len(slow)) == (2, 0)
        assert server.connections == 3


def ahead(store: LeanS3Store) -> bytes | None:
    """Return what comes of an object that was asked for ahead."""
    asked = store.ask_ahead(BUCKET, "key")
    assert asked is not None
    with asked.open() as body:
        found = all_of(body) if body else None
    asked.close()
    return found


def test_many_are_asked_for_ahead_and_boto3_is_not_needed() -> None:
    """Each on a connection of its own, which is used again."""
    with answering() as (store, server):
        for _ in range(2):
            asked = [store.ask_ahead(BUCKET, "key") for _ in range(5)]
            for one in asked:
                assert one is not None
                with one.open() as body:
                    assert body is not None
                    assert all_of(body) == b"plain"

        lean, slow = server.objects_asked()
        assert (len(lean), len(slow)) == (10, 0)
        assert server.connections <= 6
        assert store.requests()["GET"] == 10
        assert store.bytes_downloaded() == 50


@pytest.mark.parametrize(
    "odd",
    [
        Then(b"", "close"),
        Then(b"", "reset"),
        Then(b"", "hang"),
        answer(b"", "503 Slow Down"),
        answer(b"", "404 Not Found"),
        answer(b"part", "206 Partial Content"),
        answer(b"x", Content_Length=""),
        b"nonsense\r\n\r\n",
    ],
)
def test_what_was_asked_for_ahead_and_is_not_plain_is_nothing(
    odd: bytes | Then,
) -> None:
    """Whoever asks again is told why; the next request is not harmed."""
    with answering(odd, read_timeout=0.5) as (store, _server):
        assert ahead(store) is None
        assert ahead(store) == b"plain"


CONSOLE = b"<!doctype html><html><body>A console</body></html>"


@pytest.mark.parametrize(
    "told",
    [
        {"ETag": "", "Last_Modified": ""},
        {"Content_Length": ""},
    ],
)
def test_what_does_not_answer_as_s3_does_is_said_to_be_no_s3(
    told: dict[str, str],
) -> None:
    """A console, or a proxy that leaves out what S3 always tells."""
    with RawServer(plain=answer(CONSOLE, **told), listing=answer(CONSOLE)) as server:
        store = lean_store(f"http://127.0.0.1:{server.port}")
        with pytest.raises(errors.AwsFailed, match="not one of AWS") as raised:
            store.head(BUCKET, "key")
        assert "console" in raised.value.next_step
        with pytest.raises(errors.AwsFailed) as raised:
            next(iter(store.list_objects(BUCKET)))
        assert "console" in raised.value.next_step
        store.close()


def test_where_the_bucket_is_not_known_nothing_is_asked_for_ahead() -> None:
    """Boto3 has to be asked first."""
    with RawServer() as server:
        store = lean_store(f"http://127.0.0.1:{server.port}")

        assert store.ask_ahead(BUCKET, "key") is None
        assert server.requests == []
        store.close()


BROKEN = {
    "cut off": (Then(answer(b"x" * 9, Content_Length="99"), "close"), "fewer bytes"),
    "reset": (Then(answer(b"x" * 9, Content_Length="99"), "reset"), "broke|fewer"),
    "too long": (Then(answer(b"x" * 9, Content_Length="5"), "hang"), "more bytes"),
    "stuck": (Then(answer(b"x" * 9, Content_Length="99"), "hang"), "in time"),
}


@pytest.mark.parametrize(("broken", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_body_that_breaks_is_never_taken_for_whole(broken: Then, said: str) -> None:
    """The error names the object; the next request is not harmed."""
    with answering(broken, read_timeout=0.5) as (store, server):
        with pytest.raises(errors.BodyBroken, match=f"s3://{BUCKET}/key: .*({said})"):
            content(store)
        assert content(store) == b"plain"

        lean, slow = server.objects_asked()
        assert (len(lean), len(slow)) == (2, 0)


def test_an_encoded_body_comes_as_it_is_stored() -> None:
    """Content-Encoding is the uploader's affair."""
    with answering(answer(b"\x1f\x8bnot gzip", Content_Encoding="gzip")) as (store, _):
        assert content(store) == b"\x1f\x8bnot gzip"


def test_a_session_is_signed_with_its_token() -> None:
    """With the credentials of the moment: they are renewed now and then."""
    with RawServer() as server:
        held = Credentials(KEY_ID, SECRET, "first-token")
        store = lean_store(f"http://127.0.0.1:{server.port}", token="first-token")
        store._credentials = lambda: held
        content(learnt(store))
        held.access_key, held.token = "AKIDRENEWED", "second-token"
        content(store)

        first, second = server.objects_asked()[0]
        assert b"x-amz-security-token: first-token" in first
        assert f"Credential={KEY_ID}/".encode() in first
        assert b"x-amz-security-token: second-token" in second
        assert b"Credential=AKIDRENEWED/" in second
        store.close()


def test_what_is_not_signed_by_boto3_is_not_signed() -> None:
    """Public buckets, asked by nobody in particular."""
    with answering(signature_version=UNSIGNED) as (store, server):
        assert content(store) == b"plain"

        (lean,), slow = server.objects_asked()
        assert b"authorization" not in lean.lower()
        assert slow == []


@pytest.mark.parametrize(
    "settings",
    [{"signature_version": "s3"}, {"client_cert": "/nowhere"}],
)
def test_what_is_asked_in_another_way_stays_with_boto3(
    settings: dict[str, Any],
) -> None:
    """Other signatures, and certificates of the client."""
    with answering(**settings) as (store, server):
        assert content(store) == b"plain"

        lean, slow = server.objects_asked()
        assert (len(lean), len(slow)) == (0, 1)


def _same(credentials: Credentials | None) -> Credentials | None:
    return credentials


def test_credentials_that_are_not_the_clients_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor are none."""
    for credentials in (Credentials("AKIAOTHER", SECRET), None):
        with RawServer() as server:
            store = lean_store(f"http://127.0.0.1:{server.port}")
            monkeypatch.setattr(store, "_credentials", partial(_same, credentials))
            content(learnt(store))

            assert server.objects_asked()[0] == []


def test_a_proxy_is_left_to_boto3() -> None:
    """It is asked for everything, with whole addresses."""
    with RawServer() as proxy:
        proxies = {"http": f"http://127.0.0.1:{proxy.port}"}
        store = lean_store("http://s3.invalid", proxies=proxies)
        content(learnt(store))

        lean, (slow,) = proxy.objects_asked()
        assert lean == []
        assert slow.startswith(b"GET http://s3.invalid/")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1, which is its own authority, and its key."""
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    pem = Encoding.PEM
    path.write_bytes(
        made.public_bytes(pem)
        + key.private_bytes(pem, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


def test_over_tls_who_boto3_trusts_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authority that AWS_CA_BUNDLE names; bodies of any length are whole."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    large = bytes(range(256)) * 4096
    answers = (answer(large), Then(answer(b"x" * 9, Content_Length="99")))

    with answering(*answers, tls=context, read_timeout=2) as (store, server):
        assert content(store) == large
        with pytest.raises(errors.BodyBroken):
            content(store)
        assert content(store) == b"plain"

        lean, slow = server.objects_asked()
        assert (len(lean), len(slow)) == (3, 0)


def test_over_tls_nobody_else_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was learned of a server says nothing of who answers in its place."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    with answering(tls=context) as (store, server):
        (pool,) = store._pools.values()
        assert pool._endpoint.tls is not None
        assert pool._endpoint.tls.verify_mode is ssl.CERT_REQUIRED
        pool._endpoint = replace(pool._endpoint, tls=ssl.create_default_context())

        assert content(store) == b"plain"
        assert server.objects_asked()[0] == []


def test_facts_are_those_that_boto3_tells(aws: AwsS3) -> None:
    """Version, encryption, storage class, checksums, metadata; of ranges, the whole."""
    stored = Stored(
        b"12345",
        part_sizes=(2, 3),
        checksum="CRC64NVME",
        encryption="aws:kms",
        storage_class="STANDARD_IA",
        metadata={"Md5chksum": "abc", "other": "ü"},
    )
    version = aws.put("versions", "k", stored)
    aws.put("versions", "k", Stored(b"newer"))
    store = learnt(lean_store(aws.endpoint_url), "versions")
    head = store.head("versions", "k", version_id=version)
    assert head is not None
    before = len(aws.requests)

    with store.open("versions", "k", version_id=version, if_match=head.etag) as body:
        assert all_of(body) == b"12345"
        assert body.facts == head
    with store.open("versions", "k", version_id=version, start=1, length=3) as body:
        assert all_of(body) == b"234"
        assert body.facts == head._replace(checksums=())
    assert len(aws.requests) - before == 2
    store.close()


def test_refusals_are_those_that_boto3_tells(on_aws: OnAws) -> None:
    """What is not there, changed, archived, or under a key; each names its object."""
    aws, store = on_aws.aws, on_aws.store
    aws.put(BUCKET, "cold", Stored(b"x", storage_class="GLACIER"))
    aws.put(BUCKET, "keyed", Stored(b"x", customer_key=True))
    on_aws.put("there", b"x")

    for key, if_match, kind in (
        ("not-there", "", errors.NoSuchObject),
        ("there", "other", errors.ObjectChanged),
        ("there", "ö\r\n", errors.AwsError),
        ("cold", "", errors.ObjectArchived),
        ("keyed", "", errors.ObjectUnreadable),
    ):
        with (
            pytest.raises(kind, match=f"s3://{BUCKET}/{key}"),
            store.open(BUCKET, key, if_match=if_match),
        ):
            pass
    aws.ignores_ranges = True
    with (
        pytest.raises(errors.BodyBroken, match="the whole object"),
        store.open(BUCKET, "there", length=1),
    ):
        pass
    assert content(store, "there") == b"x"


def test_who_pays_and_the_customers_key_are_told(aws: AwsS3) -> None:
    """As boto3 tells them, from the second object on."""
    aws.requester_pays = {BUCKET}
    key = bytes(range(32))
    for name in ("a", "b", "c"):
        aws.put(BUCKET, name, Stored(b"hidden", customer_key=True, key=key))
    aws.put(BUCKET, "p", Stored(b"plain"))
    boto = lean_store(aws.endpoint_url)
    store = learnt(
        LeanS3Store(
            boto._client,
            credentials=boto._credentials,
            request_payer=True,
            customer_key=Secret(base64.b64encode(key).decode()),
        )
    )

    assert content(store, "a") == b"hidden"
    before = len(aws.requests)
    assert content(store, "b") == b"hidden"
    assert content(store, "c") == b"hidden"
    assert len(aws.requests) - before == 2
    assert content(store, "p") == b"plain"
    store.close()


def test_listings_of_many_pages_are_the_same_as_boto3s(on_aws: OnAws) -> None:
    """The first page comes through boto3; keys are of every kind."""
    kinds = ODD_KEYS[:-1]
    for number in range(2_500):
        on_aws.put(f"{kinds[number % len(kinds)]}\x01{number:05}", b"x")
    on_aws.store._routes.clear()

    lean = list(on_aws.store.list_objects(BUCKET, after="!"))
    slow = list(S3Store(on_aws.store._client).list_objects(BUCKET, after="!"))

    assert len(lean) > 2_000
    assert lean == slow
    assert on_aws.store._routes


def chunked(text: bytes) -> bytes:
    """Return an answer in small chunks, as AWS answers listings."""
    head = answer(b"", Content_Length="", Transfer_Encoding="chunked")
    pieces = [text[i : i + 7] for i in range(0, len(text), 7)]
    return (
        head
        + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        + b"0\r\nTrailer: x\r\n\r\n"
    )


PAGE = (
    b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType><Contents>"
    b"<Key>a+b%2Bc</Key><Size>7</Size><ETag>&quot;abc&quot;</ETag>"
    b"<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
    b"</Contents></ListBucketResult>"
)


def test_a_listing_in_chunks_is_read() -> None:
    """Trailers too; the connection is good for the next."""
    with answering() as (store, server):
        server.listing = chunked(PAGE)
        sent = len(server.requests)
        for _ in range(2):
            (facts,) = store.list_objects(BUCKET)
            assert (facts.key, facts.size_bytes, facts.etag) == ("a b+c", 7, "abc")

        assert all(b"amz-sdk" not in head for head in server.requests[sent:])
        assert content(store) == b"plain"


@pytest.mark.parametrize(
    "odd",
    [
        PAGE.replace(b"7</Size>", b"many</Size>"),
        PAGE.replace(b"2026-01-01T00:00:00.000Z", b"yesterday"),
        PAGE[:-5],
        b"<Error><Code>Odd</Code></Error>",
    ],
)
def test_an_odd_page_is_asked_for_through_boto3(odd: bytes) -> None:
    """What comes then is what boto3 makes of it: objects, or an error."""
    with answering() as (store, server):
        server.listing = answer(odd)
        sent = len(server.requests)
        with contextlib.suppress(errors.AwsError):
            list(store.list_objects(BUCKET))

        assert any(b"amz-sdk" in head for head in server.requests[sent:])


def test_a_listing_that_breaks_off_is_an_error() -> None:
    """There is more, and the server does not say from where: nothing is left out."""
    with answering() as (store, server):
        server.listing = answer(PAGE.replace(b"false", b"true"))
        for listing in (store, S3Store(store._client)):
            with pytest.raises(errors.AwsFailed, match="breaks off"):
                list(listing.list_objects(BUCKET))


def test_many_threads_share_the_connections(on_aws: OnAws) -> None:
    """Each gets its own object, whole."""
    bodies = {f"{number}": bytes([number]) * 5_000 for number in range(60)}
    for key, whole in bodies.items():
        on_aws.put(key, whole)

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda key: content(on_aws.store, key), bodies))

    assert got == list(bodies.values())


def test_a_listing_that_does_not_say_whether_there_is_more_is_an_error() -> None:
    """A page without IsTruncated is never taken for the last one."""
    more = b"<NextContinuationToken>next</NextContinuationToken>"
    page = PAGE.replace(b"<IsTruncated>false</IsTruncated>", more)
    with answering() as (store, server):
        server.listing = answer(page)
        for listing in (store, S3Store(store._client)):
            with pytest.raises(errors.AwsFailed, match="IsTruncated"):
                list(listing.list_objects(BUCKET))
