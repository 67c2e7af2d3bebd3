"""A server with S3's answers that is faster than its clients, to measure these with.

    python -m benchmarks.fast_s3 --port 9999 --objects small:20000:10KB

Its bucket, ``bench``, has objects made by rule: ``small/000000`` and so on. ETags are
their MD5s. Signatures are not looked at. It answers GET and HEAD of objects, ranges,
ListObjectsV2 and what clients ask of buckets at their start; it runs in as many
processes as are said, which share the port.
"""

import argparse
import asyncio
import base64
import hashlib
import os
import re
import socket
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl, quote_plus, unquote
from xml.sax.saxutils import escape

BUCKET = "bench"
MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"
_TAG_BYTES = 8
_MOST_KEYS = 1000
_UNITS = {"B": 1, "KB": 1000, "MB": 1_000_000, "KiB": 1 << 10, "MiB": 1 << 20}
_RANGE = re.compile(rb"\r\nrange: bytes=(\d+)-(\d*)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class Made:
    """An object: its number in eight bytes, then what all of its kind have."""

    tag: bytes
    rest: memoryview
    etag: str

    @property
    def size(self) -> int:
        """Return its length."""
        return len(self.tag) + len(self.rest)

    def pieces(self, start: int, end: int) -> Iterator[bytes | memoryview]:
        """Yield the bytes from one place to before another."""
        if start < len(self.tag):
            yield self.tag[start:end]
        yield self.rest[max(start - len(self.tag), 0) : max(end - len(self.tag), 0)]


def made(spec: str) -> dict[str, Made]:
    """Make the objects of a specification: ``small:20000:10KB``."""
    name, count, size = spec.split(":")
    number, unit = re.fullmatch(r"(\d+)([A-Za-z]+)", size).groups()  # type: ignore[union-attr]
    length = int(number) * _UNITS[unit] - _TAG_BYTES
    block = hashlib.shake_256(name.encode()).digest(1 << 16)
    rest = memoryview((block * (length // len(block) + 1))[:length])
    objects = {}
    for index in range(int(count)):
        tag = index.to_bytes(_TAG_BYTES, "big")
        digest = hashlib.md5(tag, usedforsecurity=False)
        digest.update(rest)
        objects[f"{name}/{index:06}"] = Made(tag, rest, digest.hexdigest())
    return objects


class Speaker(asyncio.Protocol):
    """One connection."""

    def __init__(self, objects: dict[str, Made], keys: Sequence[str]) -> None:
        self._objects = objects
        self._keys = keys
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._answer(head + b"\r\n")

    def _answer(self, head: bytes) -> None:
        method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        path, _, query = target.partition("?")
        bucket, _, key = path[1:].partition("/")
        if bucket != BUCKET or method not in ("GET", "HEAD"):
            self._say("404 Not Found", b"<Error><Code>NoSuchBucket</Code></Error>")
        elif key:
            self._object(method, unquote(key), head)
        elif method == "HEAD":
            self._say("200 OK", b"")
        elif "location" in query:
            self._say("200 OK", b"<LocationConstraint/>")
        else:
            self._say("200 OK", self._listing(dict(parse_qsl(query))))

    def _object(self, method: str, key: str, head: bytes) -> None:
        found = self._objects.get(key)
        if found is None:
            self._say("404 Not Found", b"<Error><Code>NoSuchKey</Code></Error>")
            return
        asked = _RANGE.search(head)
        start, end = 0, found.size
        more, status = "", "200 OK"
        if asked:
            start = int(asked[1])
            end = min(int(asked[2] or found.size) + 1, found.size)
            more = f"Content-Range: bytes {start}-{end - 1}/{found.size}\r\n"
            status = "206 Partial Content"
        answer = (
            f"HTTP/1.1 {status}\r\nx-amz-request-id: 4442587FB7D0A2F9\r\n"
            f"Last-Modified: {MODIFIED}\r\n"
            f'ETag: "{found.etag}"\r\nAccept-Ranges: bytes\r\n{more}'
            f"Content-Type: binary/octet-stream\r\nContent-Length: {end - start}\r\n"
            "Server: AmazonS3\r\n\r\n"
        ).encode()
        if method == "HEAD":
            self._transport.write(answer)
        elif end - start < 1 << 17:
            self._transport.write(b"".join((answer, *found.pieces(start, end))))
        else:
            self._transport.write(answer)
            for piece in found.pieces(start, end):
                self._transport.write(piece)

    def _listing(self, query: dict[str, str]) -> bytes:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        marker = query.get("start-after", "")
        if "continuation-token" in query:
            marker = base64.b64decode(query["continuation-token"]).decode()
        most = min(int(query.get("max-keys", _MOST_KEYS)), _MOST_KEYS)
        place = max(bisect_left(self._keys, prefix), bisect_right(self._keys, marker))
        lines: list[str] = []
        folder = ""
        while len(lines) < most and place < len(self._keys):
            key = self._keys[place]
            if not key.startswith(prefix):
                place = len(self._keys)
                break
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut >= 0:
                folder = key[: cut + 1]
                inside = f"<Prefix>{escape(folder)}</Prefix>"
                lines.append(f"<CommonPrefixes>{inside}</CommonPrefixes>")
                place = bisect_left(self._keys, folder + "\U0010ffff")
                continue
            found = self._objects[key]
            lines.append(
                f"<Contents><Key>{quote_plus(key, safe='/')}</Key>"
                "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f"<ETag>&quot;{found.etag}&quot;</ETag><Size>{found.size}</Size>"
                "<StorageClass>STANDARD</StorageClass></Contents>"
            )
            place += 1
        more = place < len(self._keys) and self._keys[place].startswith(prefix)
        token = (
            base64.b64encode(self._keys[place - 1].encode()).decode() if more else ""
        )
        following = f"<NextContinuationToken>{token}</NextContinuationToken>"
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<KeyCount>{len(lines)}</KeyCount><MaxKeys>{most}</MaxKeys>"
            f"<EncodingType>url</EncodingType>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{''.join(lines)}{following if more else ''}</ListBucketResult>"
        ).encode()

    def _say(self, status: str, body: bytes) -> None:
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\n"
            f"x-amz-bucket-region: us-east-1\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


async def serve(port: int, objects: dict[str, Made]) -> None:
    """Serve until the process is ended."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind(("127.0.0.1", port))
    keys = sorted(objects)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(Speaker, objects, keys), sock=listening)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Read the options, make the objects, and serve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=9999)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--objects", action="append", metavar="NAME:COUNT:SIZE")
    options = parser.parse_args()
    objects: dict[str, Made] = {}
    for spec in options.objects or ("small:20000:10KB", "large:200:8MB"):
        objects |= made(spec)
    print(f"{len(objects):,} objects in s3://{BUCKET}", flush=True)
    for _ in range(options.processes - 1):
        if not os.fork():
            break
    asyncio.run(serve(options.port, objects))


if __name__ == "__main__":
    main()
