"""HTTP/1.1 as far as S3's plain answers go: one GET after the other on a connection.

Whatever is not plain is not understood but refused (`NotPlain`): whoever asks has
another way, which is slower and knows everything. Nothing is decoded: bytes come as the
server sent them.
"""

import re
import select
import socket
import ssl
import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

_HEAD_BYTES = 1 << 16
_STATUS = re.compile(r"HTTP/1\.(?P<minor>[01]) (?P<status>\d{3})(?: .*)?")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,12}")
_END = b"\r\n\r\n"


class NotPlain(Exception):
    """The answer is none that is understood here."""


class NoAnswer(Exception):
    """The connection was closed before a byte of the answer came."""


@dataclass(frozen=True)
class Endpoint:
    """Where to connect to.

    Attributes:
        tls: ``None`` for an unencrypted connection.
        connect_seconds, read_seconds: How long nothing may happen; ``None``: as long
            as it takes.

    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    connect_seconds: float | None
    read_seconds: float | None


@dataclass(frozen=True)
class Head:
    """What comes before a body.

    Attributes:
        headers: Names in lower case.
        length: Of the body; ``None`` where it comes in chunks.
        stays: The connection may be used again.

    """

    status: int
    headers: Mapping[str, str]
    length: int | None
    stays: bool


class Connection:
    """A connection, used by one thread at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Connect.

        Raises:
            OSError: As ``socket`` and ``ssl`` say.

        """
        raw = socket.create_connection(
            (endpoint.host, endpoint.port), endpoint.connect_seconds
        )
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if endpoint.tls is None:
                # The kernel keeps the time: Python would poll before every reading.
                raw.settimeout(None)
                microseconds = int((endpoint.read_seconds or 0) * 1_000_000)
                limit = struct.pack("ll", *divmod(microseconds, 1_000_000))
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
                self._socket = raw
            else:
                self._socket = endpoint.tls.wrap_socket(
                    raw, server_hostname=endpoint.host
                )
                self._socket.settimeout(endpoint.read_seconds)
        except BaseException:
            raw.close()
            raise
        self._bytes = bytearray(_HEAD_BYTES)
        self._room = memoryview(self._bytes)
        self._begin = self._end = 0
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def close(self) -> None:
        """Let it go. Idempotent."""
        self._socket.close()

    def is_quiet(self) -> bool:
        """Say whether nothing has come since the last answer, not even the end."""
        return self._begin == self._end and not self._poll.poll(0)

    def ask(self, request: bytes) -> Head:
        """Send a request and read the head of its answer.

        Raises:
            NoAnswer: The server had closed the connection.
            NotPlain: The answer is none that is understood.
            OSError: The connection broke, or nothing came in time.

        """
        self.send(request)
        return self.head()

    def send(self, request: bytes) -> None:
        """Send a request.

        Raises:
            NoAnswer, OSError: As for `ask`.

        """
        try:
            self._socket.sendall(request)
        except ConnectionError as error:
            raise NoAnswer from error
        self._begin = self._end = 0

    def head(self) -> Head:
        """Read the head of the answer to what was sent.

        Raises:
            NoAnswer, NotPlain, OSError: As for `ask`.

        """
        try:
            block = self._block()
        except ConnectionError as error:
            raise NoAnswer from error
        while True:
            head = _parsed(block)
            if head.status >= 200:
                return head
            if head.status == 101:
                raise NotPlain
            block = self._block()  # 100 and the like: the answer is still to come

    def _block(self) -> str:
        searched = self._begin
        while True:
            end = self._bytes.find(_END, searched, self._end)
            if end >= 0:
                text = str(self._room[self._begin : end], "latin-1")
                self._begin = end + len(_END)
                return text
            searched = max(self._begin, self._end - len(_END) + 1)
            if self._end == len(self._room):
                raise NotPlain
            got = self._socket.recv_into(self._room[self._end :])
            if not got:
                raise NoAnswer if not self._end else NotPlain
            self._end += got

    def read_into(self, buffer: memoryview) -> int:
        """Read bytes of a body; return how many, 0 where the server has closed."""
        kept = self._end - self._begin
        if not kept:
            return self._socket.recv_into(buffer)
        got = min(kept, len(buffer))
        buffer[:got] = self._room[self._begin : self._begin + got]
        self._begin += got
        return got

    def has_taken_more(self) -> bool:
        """Say whether bytes were taken from the system that belong to no answer."""
        if self._begin < self._end:
            return True
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def has_more(self) -> bool:
        """Say whether bytes are here, or have come, that belong to no answer."""
        if self.has_taken_more():
            return True
        if isinstance(self._socket, ssl.SSLSocket):
            return False
        try:
            peek = socket.MSG_PEEK | socket.MSG_DONTWAIT
            return bool(self._socket.recv(1, peek))
        except OSError:
            return False

    def read_all(self, head: Head, most: int) -> bytes:
        """Read a small body to its end, in chunks or not.

        Raises:
            NotPlain: It is longer than ``most``, or not what it is said to be.
            OSError: The connection broke.

        """
        if head.length is not None:
            return self._exactly(head.length, most)
        pieces: list[bytes] = []
        while size := self._chunk_size():
            most -= size
            pieces.append(self._exactly(size, most + size))
            if self._line():
                raise NotPlain
        while self._line():
            pass  # trailers
        return b"".join(pieces)

    def _exactly(self, size: int, most: int) -> bytes:
        if size > most:
            raise NotPlain
        content = bytearray(size)
        view, filled = memoryview(content), 0
        while filled < size:
            got = self.read_into(view[filled:])
            if not got:
                raise NotPlain
            filled += got
        return bytes(content)

    def _chunk_size(self) -> int:
        text = self._line().partition(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(text):
            raise NotPlain
        return int(text, 16)

    def _line(self) -> bytes:
        line = bytearray()
        while not line.endswith(b"\r\n"):
            if len(line) > 1024:
                raise NotPlain
            line += self._exactly(1, 1)
        return bytes(line[:-2])


class Connections:
    """Connections to one endpoint that are open and not in use. Thread-safe."""

    def __init__(self, endpoint: Endpoint, most: int) -> None:
        self._endpoint = endpoint
        self._idle: deque[Connection] = deque()
        self._most = most

    def idle(self) -> Connection | None:
        """Return one that is still good; ``None`` where there is none."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.is_quiet():
                return connection
            connection.close()

    def fresh(self) -> Connection:
        """Connect.

        Raises:
            OSError: There is no connection to be had.

        """
        return Connection(self._endpoint)

    def give_back(self, connection: Connection) -> None:
        """Keep one for the next request, unless there are enough."""
        if len(self._idle) < self._most:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close those that are not in use."""
        while self._idle:
            self._idle.pop().close()


def _parsed(block: str) -> Head:
    first, *lines = block.split("\r\n")
    said = _STATUS.fullmatch(first)
    if said is None:
        raise NotPlain
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        if not colon or not _NAME.fullmatch(name):
            raise NotPlain  # a folded line is one of them
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    status = int(said["status"])
    coding = headers.get("transfer-encoding")
    length = headers.get("content-length")
    if status >= 200:
        if coding is None and length is None:
            raise NotPlain
        if coding is not None and (coding.lower() != "chunked" or length is not None):
            raise NotPlain
        if length is not None and not _LENGTH.fullmatch(length):
            raise NotPlain  # two that differ among them
    return Head(
        status,
        headers,
        None if length is None else int(length),
        said["minor"] == "1" and headers.get("connection", "").lower() != "close",
    )
