"""An S3 endpoint that is faster than its clients, so that they are what is measured.

It serves generated objects out of memory to whoever asks, without a look at signatures:
GET (ranges, If-Match), HEAD, ListObjectsV2, GetBucketLocation, HeadBucket. Addresses
have the bucket in the path. A process for each processor waits on the same port, and
does nothing for a request but look up an answer.
"""

import argparse
import hashlib
import math
import os
import random
import re
import selectors
import socket
import subprocess
import sys
import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote

BUCKET = "bench"
_SEED = 20260101
_STEP = 4099  # at most; a prime: no two objects hold the same bytes
_POOL_BYTES = 128 << 20  # what they are taken from, beside the size of one
_FOLDER_FILES = 100
_PAGE = 1000
_RECEIVE_BYTES = 1 << 16
_ABOUT = (
    b"Server: fast_s3\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"x-amz-request-id: 0\r\nx-amz-bucket-region: us-east-1\r\n"
)
_XML = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_RANGE = re.compile(rb"\r\nrange: *bytes=(\d*)-(\d*)", re.IGNORECASE)
_IF_MATCH = re.compile(rb'\r\nif-match: *"?([^"\r]*)', re.IGNORECASE)
_SPECIAL = re.compile(rb"\r\n(?:range|if-match):", re.IGNORECASE)
_BODY = re.compile(rb"\r\n(?:content-length: *[1-9]|transfer-encoding:)", re.IGNORECASE)
_EXPECTED_HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class Objects:
    """Which objects there are; their keys and bytes follow from it.

    Attributes:
        count: How many, all of one size.
        size_bytes: Of each.
    """

    count: int
    size_bytes: int

    @property
    def total_bytes(self) -> int:
        """Return the size of all together."""
        return self.count * self.size_bytes

    def keys(self) -> list[str]:
        """Return the keys, in order."""
        return [
            f"photos/{number // _FOLDER_FILES:04}/object-{number:06}.bin"
            for number in range(self.count)
        ]

    def contents(self) -> Iterator[memoryview]:
        """Yield the content of each, in the order of the keys."""
        step = min(_STEP, _POOL_BYTES // self.count) if self.size_bytes else 0
        pool = random.Random(_SEED).randbytes(self.size_bytes + self.count * step)
        view = memoryview(pool)
        for number in range(self.count):
            yield view[number * step :][: self.size_bytes]


class Answers:
    """What is answered to a request: all bytes of it, in pieces."""

    def __init__(self, objects: Objects) -> None:
        self._keys = objects.keys()
        self._contents = dict(zip(self._keys, objects.contents(), strict=True))
        self._etags = {
            key: hashlib.md5(content).hexdigest()
            for key, content in self._contents.items()
        }
        self._whole: dict[bytes, tuple[bytes, memoryview]] = {}
        for key, content in self._contents.items():
            head = self._head("200 OK", len(content), self._etags[key])
            self._whole[f"/{BUCKET}/{key}".encode()] = (head, content)

    def __call__(self, request: bytes) -> Sequence[bytes | memoryview]:
        """Answer a request, of which this is the head."""
        method, target, _ = request.split(b" ", 2)
        whole = self._whole.get(target)
        if whole and method == b"GET" and not _SPECIAL.search(request):
            return whole
        path, _, query = target.decode().partition("?")
        bucket, _, key = unquote(path).removeprefix("/").partition("/")
        if bucket != BUCKET:
            return self._error("404 Not Found", "NoSuchBucket", method)
        if key:
            return self._object(method, key, request)
        asked = {
            name: values[0]
            for name, values in parse_qs(query, keep_blank_values=True).items()
        }
        if method == b"HEAD":
            return (self._head("200 OK", 0),)
        if method == b"GET" and "location" in asked:
            return self._document("<LocationConstraint/>")
        if method == b"GET" and asked.get("list-type") == "2":
            return self._document(self._listing(asked))
        return self._error("501 Not Implemented", "NotImplemented", method)

    def _object(
        self, method: bytes, key: str, request: bytes
    ) -> Sequence[bytes | memoryview]:
        content = self._contents.get(key)
        if content is None:
            return self._error("404 Not Found", "NoSuchKey", method)
        if method not in (b"GET", b"HEAD"):
            return self._error("501 Not Implemented", "NotImplemented", method)
        etag = self._etags[key]
        matched = _IF_MATCH.search(request)
        if matched and matched[1].decode() not in (etag, "*"):
            return self._error("412 Precondition Failed", "PreconditionFailed", method)
        status, more = "200 OK", ""
        ranged = _RANGE.search(request)
        if ranged:
            size = len(content)
            first, last = ranged[1], ranged[2]
            begin = int(first) if first else max(0, size - int(last))
            end = min(int(last), size - 1) if first and last else size - 1
            if begin > end:
                return self._error("416 Range Not Satisfiable", "InvalidRange", method)
            status = "206 Partial Content"
            more = f"Content-Range: bytes {begin}-{end}/{size}\r\n"
            content = content[begin : end + 1]
        head = self._head(status, len(content), etag, more)
        return (head,) if method == b"HEAD" else (head, content)

    def _listing(self, asked: dict[str, str]) -> str:
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        after = asked.get("continuation-token") or asked.get("start-after", "")
        place = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
        most = min(int(asked.get("max-keys", _PAGE)), _PAGE)
        entries: list[str] = []
        last = after
        while place < len(self._keys) and self._keys[place].startswith(prefix):
            if len(entries) == most:
                break
            key = self._keys[place]
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                common = key[: cut + len(delimiter)]
                entries.append(
                    f"<CommonPrefixes><Prefix>{common}</Prefix></CommonPrefixes>"
                )
                last = common + "\U0010ffff"
                place = bisect_right(self._keys, last)
                continue
            entries.append(
                f"<Contents><Key>{key}</Key>"
                "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f"<ETag>&quot;{self._etags[key]}&quot;</ETag>"
                f"<Size>{len(self._contents[key])}</Size>"
                "<StorageClass>STANDARD</StorageClass></Contents>"
            )
            last = key
            place += 1
        more = place < len(self._keys) and self._keys[place].startswith(prefix)
        token = f"<NextContinuationToken>{last}</NextContinuationToken>" if more else ""
        encoding = (
            "<EncodingType>url</EncodingType>" if "encoding-type" in asked else ""
        )
        return (
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><Prefix>{prefix}</Prefix>{encoding}"
            f"<KeyCount>{len(entries)}</KeyCount><MaxKeys>{most}</MaxKeys>"
            f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>{token}"
            f"{''.join(entries)}</ListBucketResult>"
        )

    def _document(self, text: str) -> Sequence[bytes]:
        body = _XML + text.encode()
        more = "Content-Type: application/xml\r\n"
        return self._head("200 OK", len(body), more=more), body

    def _error(self, status: str, code: str, method: bytes) -> Sequence[bytes]:
        body = _XML + f"<Error><Code>{code}</Code><Message/></Error>".encode()
        more = "Content-Type: application/xml\r\n"
        head = self._head(status, len(body), more=more)
        return (head,) if method == b"HEAD" else (head, body)

    def _head(self, status: str, length: int, etag: str = "", more: str = "") -> bytes:
        if etag:
            more += (
                f'ETag: "{etag}"\r\nAccept-Ranges: bytes\r\n'
                "Content-Type: binary/octet-stream\r\n"
            )
        head = f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{more}"
        return head.encode() + _ABOUT + b"\r\n"


class _Connection:
    """One client: what came of its next request, and what it is still owed."""

    def __init__(
        self, client: socket.socket, answers: Answers, delay_seconds: float
    ) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = client
        self.owed: list[bytes | memoryview] = []
        self._answers = answers
        self._come = b""
        self._delay = delay_seconds
        self._later: deque[tuple[float, Sequence[bytes | memoryview]]] = deque()

    def receive(self) -> bool:
        """Take what came; say whether the client is still there."""
        come = self.socket.recv(_RECEIVE_BYTES)
        if not come:
            return False
        self._come += come
        while (end := self._come.find(b"\r\n\r\n")) >= 0:
            request, self._come = self._come[: end + 2], self._come[end + 4 :]
            if _BODY.search(request):
                return False  # nothing that we answer has a body
            answer = self._answers(request)
            if self._delay:
                self._later.append((time.monotonic() + self._delay, answer))
            else:
                self.owed += answer
        return len(self._come) < _EXPECTED_HEAD_BYTES and self.send()

    @property
    def due(self) -> float:
        """When the next answer may be sent; infinity where none waits."""
        return self._later[0][0] if self._later else math.inf

    def ripen(self, now: float) -> None:
        """Owe the answers that have waited long enough."""
        while self._later and self._later[0][0] <= now:
            self.owed += self._later.popleft()[1]

    def send(self) -> bool:
        """Send what the client takes; say whether it is still there."""
        while self.owed:
            try:
                sent = self.socket.sendmsg(self.owed[:16])
            except BlockingIOError:
                return True
            while self.owed and sent >= len(self.owed[0]):
                sent -= len(self.owed.pop(0))
            if sent:
                self.owed[0] = memoryview(self.owed[0])[sent:]
        return True


def _serve(listening: socket.socket, answers: Answers, delay_seconds: float) -> None:
    with selectors.DefaultSelector() as selector:
        listening.setblocking(False)
        selector.register(listening, selectors.EVENT_READ)
        while True:
            wait = None
            if delay_seconds:
                wait = _ripened(selector)
            for ready, events in selector.select(wait):
                connection = ready.data
                if connection is None:
                    try:
                        client, _ = listening.accept()
                    except OSError:
                        continue
                    connection = _Connection(client, answers, delay_seconds)
                    selector.register(client, selectors.EVENT_READ, connection)
                    continue
                writing = events & selectors.EVENT_WRITE
                try:
                    there = connection.send() if writing else connection.receive()
                except BlockingIOError:
                    continue
                except OSError:
                    there = False
                if not there:
                    selector.unregister(connection.socket)
                    connection.socket.close()
                    continue
                wanted = (
                    selectors.EVENT_WRITE if connection.owed else selectors.EVENT_READ
                )
                if wanted != ready.events:
                    selector.modify(connection.socket, wanted, connection)


def _ripened(selector: selectors.BaseSelector) -> float | None:
    """Have answers that waited long enough sent; return how long the next one waits."""
    now = time.monotonic()
    due = math.inf
    for key in list(selector.get_map().values()):
        connection = key.data
        if connection is not None and connection.due < math.inf:
            connection.ripen(now)
            if connection.owed and key.events != selectors.EVENT_WRITE:
                selector.modify(connection.socket, selectors.EVENT_WRITE, connection)
            due = min(due, connection.due)
    return None if due == math.inf else max(0.0, due - now)


def _listener(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(1024)
    return listening


def main() -> None:
    """Serve until the standard input ends; print the port once it is open."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("size_bytes", type=int)
    parser.add_argument("--delay", type=float, default=0.0, metavar="SECONDS")
    arguments = parser.parse_args()
    answers = Answers(Objects(arguments.count, arguments.size_bytes))
    first = _listener(0)
    port = first.getsockname()[1]
    listeners = [first]
    listeners += [_listener(port) for _ in range((os.cpu_count() or 1) - 1)]
    children = []
    for listening in listeners:
        child = os.fork()
        if not child:
            for other in listeners:
                if other is not listening:
                    other.close()
            try:
                _serve(listening, answers, arguments.delay)
            finally:
                os._exit(1)
        children.append(child)
    for listening in listeners:
        listening.close()
    try:
        print(port, flush=True)
        sys.stdin.read()
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)


@contextmanager
def serving(objects: Objects, delay_seconds: float = 0.0) -> Iterator[str]:
    """Run the endpoint in processes of its own; give its URL.

    Args:
        delay_seconds: How long each answer takes, as over a long line.
    """
    line = [sys.executable, "-m", "benchmarks.fast_s3"]
    server = subprocess.Popen(
        [
            *line,
            str(objects.count),
            str(objects.size_bytes),
            f"--delay={delay_seconds}",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    with server:
        assert server.stdin
        assert server.stdout
        port = server.stdout.readline().strip()
        if not port:
            raise RuntimeError("the endpoint did not start")
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.stdin.close()
            deadline = time.monotonic() + 5
            while server.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            if server.poll() is None:
                server.kill()


if __name__ == "__main__":
    main()
