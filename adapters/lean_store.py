"""S3 with bodies and listings fetched past boto3, which takes much longer for them.

boto3 goes first: from the request that it sent, and that S3 answered, is learned where
a bucket is and how requests are signed. What follows is asked for on connections of our
own. That is for success alone: whatever is no plain answer (an error, a redirect, a
connection that fails) is asked for again through boto3, which knows what to do.
"""

import functools
import hashlib
import ssl
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from botocore.httpsession import get_cert_path

from s3export.adapters.lean_http import (
    Connection,
    Connections,
    Endpoint,
    Head,
    NoAnswer,
    NotPlain,
)
from s3export.adapters.listed_pages import listed
from s3export.adapters.s3_answers import (
    facts_of_headers,
    facts_of_range,
    following_page,
)
from s3export.adapters.s3_store import S3Store
from s3export.adapters.sigv4 import Credentials, Signer
from s3export.domain.errors import BodyBroken
from s3export.domain.evidence import ObjectFacts
from s3export.domain.ports import AskedAhead, ObjectBody
from s3export.domain.secret import Secret

_SIGNATURE = "AWS4-HMAC-SHA256 Credential="
_PORTS = {"http": 80, "https": 443}
_MOST_OF_A_PAGE = 64 << 20  # 1,000 keys of 1,024 bytes, each byte escaped, are 4 MiB
_MOST_TO_SKIP = 1 << 16
_SSE = "x-amz-server-side-encryption-customer"


@dataclass(frozen=True)
class _Route:
    """Where a bucket is, and how it is asked."""

    connections: Connections
    host: str
    path: str
    signer: Signer | None
    user_agent: str


class LeanS3Store(S3Store):
    """S3, or a server that speaks its protocol.

    Args:
        client: A boto3 ``s3`` client.
        credentials: The client's; asked for with every request, since they may be
            renewed meanwhile. ``None`` where requests are not signed.
        request_payer, customer_key: As for `S3Store`.
        connections: How many are kept open.
    """

    def __init__(
        self,
        client: Any,
        *,
        credentials: Callable[[], Any],
        request_payer: bool = False,
        customer_key: Secret | None = None,
        connections: int = 64,
    ) -> None:
        super().__init__(client, request_payer=request_payer, customer_key=customer_key)
        self._credentials = credentials
        self._most = connections
        self._routes: dict[str, _Route] = {}
        self._pools: dict[tuple[str, str], Connections] = {}
        self._signers: dict[str, Signer] = {}
        self._seen = threading.local()
        client.meta.events.register("before-send.s3", self._see)

    def close(self) -> None:
        """Close the connections that are not in use."""
        for pool in self._pools.values():
            pool.close()

    # --- bodies ---------------------------------------------------------------------

    @contextmanager
    def open(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str = "",
        if_match: str = "",
        start: int = 0,
        length: int | None = None,
    ) -> Iterator[ObjectBody]:
        """Get an object on a connection of our own; else call GetObject."""
        body = self._lean_body(bucket, key, version_id, if_match, start, length)
        if body is not None:
            try:
                yield body
            finally:
                body.done()
            return
        self._seen.request = None
        with super().open(
            bucket,
            key,
            version_id=version_id,
            if_match=if_match,
            start=start,
            length=length,
        ) as slow:
            self._learn(bucket, f"/{_encoded(key)}")
            yield slow

    def _lean_body(
        self,
        bucket: str,
        key: str,
        version_id: str,
        if_match: str,
        start: int,
        length: int | None,
    ) -> "_LeanBody | None":
        """Return a body of which the head came as expected; otherwise ``None``."""
        route = self._routes.get(bucket)
        if route is None:
            return None
        headers = self._object_headers(bucket)
        if not (if_match.isascii() and if_match.isprintable()):
            return None
        if if_match:
            headers["if-match"] = f'"{if_match}"'
        ranged = bool(start) or length is not None
        if ranged:
            last = "" if length is None else start + length - 1
            headers["range"] = f"bytes={start}-{last}"
        query = f"versionId={quote(version_id, safe='-_.~')}" if version_id else ""
        asked = self._asked(route, f"/{_encoded(key)}", query, headers, "GET")
        if asked is None:
            return None
        connection, head = asked
        try:
            if head.length is None or head.status != (206 if ranged else 200):
                raise NotPlain
            facts = facts_of_headers(head.headers, head.length, bucket, key, version_id)
            if ranged:
                told = head.headers.get("content-range", "")
                facts = facts_of_range(facts, told, start, length)
        except (NotPlain, ValueError, BodyBroken):  # boto3 says what is wrong
            _drop(route, connection, head)
            return None
        return _LeanBody(self.note_downloaded, route, connection, head, facts)

    def ask_ahead(self, bucket: str, key: str) -> AskedAhead | None:
        """Send GetObject on a connection of our own."""
        route = self._routes.get(bucket)
        if route is None:
            return None
        headers = self._object_headers(bucket)
        request = self._request(route, f"/{_encoded(key)}", "", headers)
        if request is None:
            return None
        try:
            connection = route.connections.idle() or route.connections.fresh()
        except OSError:
            return None
        self._count("GET")
        try:
            connection.send(request)
        except (NoAnswer, OSError):
            connection.close()
            return None
        except BaseException:
            connection.close()
            raise
        return _LeanAsked(self.note_downloaded, route, connection, bucket, key)

    def _object_headers(self, bucket: str) -> dict[str, str]:
        """Return what every request for an object of a bucket says."""
        headers = {"x-amz-checksum-mode": "ENABLED"}
        if bucket in self._encrypted_last:
            headers |= self._key_headers
        return headers

    @functools.cached_property
    def _key_headers(self) -> Mapping[str, str]:
        text = self._customer_key.reveal() if self._customer_key else ""
        md5 = hashlib.md5(b64decode(text), usedforsecurity=False).digest()
        return {
            f"{_SSE}-algorithm": "AES256",
            f"{_SSE}-key": text,
            f"{_SSE}-key-md5": b64encode(md5).decode(),
        }

    # --- listings -------------------------------------------------------------------

    def _page(
        self, bucket: str, prefix: str, after: str, token: str
    ) -> tuple[Sequence[ObjectFacts], str]:
        """Get a page on a connection of our own; else call ListObjectsV2."""
        page = self._lean_page(bucket, prefix, after, token)
        if page is not None:
            return page
        self._seen.request = None
        slow = super()._page(bucket, prefix, after, token)
        self._learn(bucket, "")
        return slow

    def _lean_page(
        self, bucket: str, prefix: str, after: str, token: str
    ) -> tuple[Sequence[ObjectFacts], str] | None:
        route = self._routes.get(bucket)
        if route is None:
            return None
        parameters = {
            "continuation-token": token,
            "encoding-type": "url",
            "list-type": "2",
            "prefix": prefix,
            "start-after": after,
        }
        query = "&".join(
            f"{name}={quote(value, safe='-_.~')}"
            for name, value in parameters.items()
            if value
        )
        asked = self._asked(route, "" if route.path else "/", query, {}, "LIST")
        if asked is None:
            return None
        connection, head = asked
        try:
            if head.status != 200:
                raise NotPlain
            text = connection.read_all(head, _MOST_OF_A_PAGE)
            page, truncated, following = listed(text, bucket)
        except (NotPlain, OSError, ValueError, ElementTree.ParseError):
            connection.close()
            return None
        _keep(route, connection, head)
        return page, following_page(bucket, truncated, token, following)

    # --- asking ---------------------------------------------------------------------

    def _asked(
        self,
        route: _Route,
        path: str,
        query: str,
        headers: Mapping[str, str],
        kind: str,
    ) -> tuple[Connection, Head] | None:
        """Send a request; ``None`` where no answer is had that is understood.

        A connection that the server closed since the last request is replaced by a
        fresh one without a word: that is how servers are.
        """
        request = self._request(route, path, query, headers)
        connection = route.connections.idle()
        while request is not None:
            used = connection is not None
            try:
                connection = connection or route.connections.fresh()
            except OSError:
                return None
            self._count(kind)
            try:
                return connection, connection.ask(request)
            except NoAnswer:
                connection.close()
                connection = None
                if not used:
                    return None
            except (NotPlain, OSError):
                connection.close()
                return None
            except BaseException:
                connection.close()
                raise
        return None

    def _request(
        self, route: _Route, path: str, query: str, headers: Mapping[str, str]
    ) -> bytes | None:
        path = route.path + path
        signing = {"host": route.host, **headers}
        if self._payer:
            signing["x-amz-request-payer"] = self._payer
        if route.signer is not None:
            credentials = self._frozen_credentials()
            if credentials is None:
                return None
            signing = route.signer.signed(credentials, path, query, signing)
        lines = "".join([f"{name}: {value}\r\n" for name, value in signing.items()])
        target = f"{path}?{query}" if query else path
        return (
            f"GET {target} HTTP/1.1\r\n{lines}user-agent: {route.user_agent}\r\n"
            "accept-encoding: identity\r\n\r\n"
        ).encode("ascii")

    def _frozen_credentials(self) -> Credentials | None:
        credentials = self._credentials()
        if credentials is None:
            return None
        frozen: Credentials = credentials.get_frozen_credentials()
        return frozen

    # --- learning from boto3 --------------------------------------------------------

    def _see(self, request: Any, **_: object) -> None:
        self._seen.request = request

    def _learn(self, bucket: str, target: str) -> None:
        """Remember where a bucket is: boto3 has just been answered there.

        Args:
            target: What follows the bucket's place in the path.

        """
        request = getattr(self._seen, "request", None)
        if request is None:  # something stands between boto3 and the network
            return
        url = urlsplit(request.url)
        path = url.path if target else url.path.removesuffix("/")
        if not path.endswith(target):
            return
        pool = self._pool(url.scheme, url.netloc, request.url)
        signed = _text(request.headers.get("Authorization", ""))
        signer = self._signer(signed)
        if pool is None or (signed and signer is None):
            return
        self._routes[bucket] = _Route(
            pool,
            url.netloc.removesuffix(f":{_PORTS[url.scheme]}"),
            path.removesuffix(target),
            signer,
            _text(request.headers.get("User-Agent", "")),
        )

    def _signer(self, authorization: str) -> Signer | None:
        """Return who signs as boto3 did; ``None`` for another kind of signature."""
        frozen = self._frozen_credentials()
        scope = authorization.removeprefix(_SIGNATURE).partition(",")[0].split("/")
        if authorization[: len(_SIGNATURE)] != _SIGNATURE or frozen is None:
            return None
        if len(scope) != 5 or scope[0] != frozen.access_key or scope[3] != "s3":
            return None
        return self._signers.setdefault(scope[2], Signer(scope[2]))

    def _pool(self, scheme: str, netloc: str, url: str) -> Connections | None:
        """Return the connections to a server; ``None`` where boto3 must make them."""
        known = self._pools.get((scheme, netloc))
        if known is not None:
            return known
        config = self._client.meta.config
        try:
            session = self._client._endpoint.http_session
            proxied = session._proxy_config.proxy_url_for(url)
            certificate, verify = session._cert_file, session._verify
        except AttributeError:  # another botocore, or something in its place
            return None
        parts = urlsplit(url)
        if proxied or certificate or scheme not in _PORTS or parts.hostname is None:
            return None
        endpoint = Endpoint(
            parts.hostname,
            parts.port or _PORTS[scheme],
            _tls(verify) if scheme == "https" else None,
            config.connect_timeout,
            config.read_timeout,
        )
        pool = Connections(endpoint, self._most)
        return self._pools.setdefault((scheme, netloc), pool)


class _LeanAsked(AskedAhead):
    def __init__(
        self,
        note: Callable[[int], None],
        route: _Route,
        connection: Connection,
        bucket: str,
        key: str,
    ) -> None:
        self._note = note
        self._route = route
        self._connection: Connection | None = connection
        self._bucket = bucket
        self._key = key

    @contextmanager
    def open(self) -> Iterator[ObjectBody | None]:
        body = self._body()
        try:
            yield body
        finally:
            if body is not None:
                body.done()

    def _body(self) -> "_LeanBody | None":
        connection = self._connection
        assert connection is not None, "an answer is opened once"
        try:
            head = connection.head()
            if head.length is None or head.status != 200:
                raise NotPlain
            facts = facts_of_headers(
                head.headers, head.length, self._bucket, self._key, ""
            )
        except (NoAnswer, NotPlain, OSError, ValueError):
            self.close()
            return None
        self._connection = None
        return _LeanBody(self._note, self._route, connection, head, facts)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _LeanBody(ObjectBody):
    def __init__(
        self,
        note: Callable[[int], None],
        route: _Route,
        connection: Connection,
        head: Head,
        facts: ObjectFacts,
    ) -> None:
        self.facts = facts
        self._note = note
        self._route = route
        self._connection = connection
        self._head = head
        self._left = head.length or 0
        self._broken = False

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        room = memoryview(buffer)[: self._left]
        if not room:
            if not self._left and self._connection.has_more():
                self._break("more bytes came than were announced")
            return 0
        try:
            got = self._connection.read_into(room)
        except BlockingIOError:
            self._break("the connection broke: no more bytes came in time")
        except OSError as error:
            self._break(f"the connection broke: {error}")
        if not got:
            self._break("the connection broke: fewer bytes came than were announced")
        self._left -= got
        self._note(got)
        return got

    def _break(self, reason: str) -> NoReturn:
        self._broken = True
        raise BodyBroken(f"s3://{self.facts.bucket}/{self.facts.key}: {reason}")

    def done(self) -> None:
        """Keep the connection if it can be used again."""
        if self._broken or self._left:
            self._connection.close()
        else:
            _keep(self._route, self._connection, self._head)


def _keep(route: _Route, connection: Connection, head: Head) -> None:
    """Keep a connection of which the answer was read to its end, if it is good.

    Whether anything has come since is asked when it is used again (`is_quiet`).
    """
    if head.stays and not connection.has_taken_more():
        route.connections.give_back(connection)
    else:
        connection.close()


def _drop(route: _Route, connection: Connection, head: Head) -> None:
    """Skip an answer, and keep the connection where that is soon done."""
    try:
        connection.read_all(head, _MOST_TO_SKIP)
    except (NotPlain, OSError):
        connection.close()
    else:
        _keep(route, connection, head)


def _encoded(key: str) -> str:
    return quote(key, safe="/~")


def _text(header: str | bytes) -> str:
    return header.decode("latin-1") if isinstance(header, bytes) else header


def _tls(verify: bool | str) -> ssl.SSLContext:
    """Trust whom boto3 trusts."""
    if verify is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    trusted = get_cert_path(verify)
    if Path(trusted).is_dir():
        return ssl.create_default_context(capath=trusted)
    return ssl.create_default_context(cafile=trusted)
