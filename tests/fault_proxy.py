"""A proxy between a client and a server of S3 whose answers go wrong, now and then.

What goes wrong depends on the seed, the request and how often it was made, and not on
the order of threads: the same request fails so many times at most, then it is answered.
"""

import contextlib
import random
import socket
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from fixtures.listening import listening

RESET = "reset in the body"
CUT = "body cut off"
WRONG = "wrong byte"
STALL = "stall"
ERROR = "500"
SLOW_DOWN = "503"

FAULTS = (RESET, CUT, WRONG, STALL, ERROR, SLOW_DOWN)

_BURST = 3  # requests of any kind that are refused from one 503 on
_BUFFER = 1 << 16
_REFUSED = (
    b"HTTP/1.1 %s\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s"
)


class FaultProxy:
    """The proxy, while in its ``with`` block.

    Args:
        upstream: The server's URL.
        share: Of the requests that something goes wrong with.
        most: How many times for the same request.
        stall_seconds: How long nothing comes; then the rest does.
        kinds: Of `FAULTS`.
    """

    def __init__(
        self,
        upstream: str,
        seed: int,
        *,
        share: float,
        most: int = 2,
        stall_seconds: float = 1,
        kinds: tuple[str, ...] = FAULTS,
    ) -> None:
        url = urlsplit(upstream)
        self._upstream = (str(url.hostname), url.port or 80)
        self._seed = seed
        self._share = share
        self._most = most
        self._stall_seconds = stall_seconds
        self._kinds = kinds
        self._lock = threading.Lock()
        self._times: Counter[bytes] = Counter()
        self._wrong: set[bytes] = set()
        self._burst = 0
        #: How many faults there were of each kind.
        self.faults: Counter[str] = Counter()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._port = self._stack.enter_context(listening(self._serve))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.create_connection(self._upstream)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with server:
                asking, answering = _Stream(client), _Stream(server)
                while self._pass_on(asking, answering):
                    pass

    def _pass_on(self, client: "_Stream", server: "_Stream") -> bool:
        """Pass on a request and its answer; say whether the connection goes on."""
        request = client.head()
        client.body(_length(request))  # a log that is uploaded: not passed on
        fault, chance = self._fault(request)
        if fault in (ERROR, SLOW_DOWN):
            status = b"500 Internal Server Error"
            code = b"InternalError"
            if fault == SLOW_DOWN:
                status, code = b"503 Slow Down", b"SlowDown"
            body = b"<Error><Code>%s</Code><Message>no</Message></Error>" % code
            client.send(_REFUSED % (status, len(body), body))
            return True
        server.send(request)
        answer = server.head()
        length = 0 if request.startswith(b"HEAD ") else _length(answer)
        return self._answer(client, server, answer, length, fault, chance)

    def _answer(
        self,
        client: "_Stream",
        server: "_Stream",
        answer: bytes,
        length: int,
        fault: str,
        chance: random.Random,
    ) -> bool:
        content = bytearray(server.body(length))
        if fault and not content:
            fault = RESET  # not even the head arrives
        is_object = b"xml" not in answer
        if fault == WRONG and not is_object:
            fault = CUT  # nothing would tell that a listing is wrong
        if fault:
            with self._lock:
                self.faults[fault] += 1
        cut = chance.randrange(len(content)) if content else 0
        if fault == WRONG:
            content[cut] ^= 1 << chance.randrange(8)
        elif fault == RESET:
            client.send((answer + content[:cut]) if content else b"")
            client.reset()
            return False
        elif fault == CUT:
            client.send(answer + content[:cut])
            return False
        elif fault == STALL:
            client.send(answer + content[:cut])
            time.sleep(self._stall_seconds)
            client.send(content[cut:])
            return True
        client.send(answer + content)
        return True

    def _fault(self, request: bytes) -> tuple[str, random.Random]:
        target = request.split(b" ", 2)[1]
        wanted = b"".join(
            line
            for line in request.lower().split(b"\r\n")
            if line.startswith(b"range:")
        )
        name = b"%s %s" % (target, wanted)
        with self._lock:
            times = self._times[name]
            self._times[name] += 1
            chance = random.Random(f"{self._seed} {name!r} {times}")
            if self._burst:
                self._burst -= 1
                self.faults[SLOW_DOWN] += 1
                return SLOW_DOWN, chance
            if times >= self._most or chance.random() >= self._share:
                return "", chance
            fault = chance.choice(self._kinds)
            if fault == WRONG and target in self._wrong:
                return "", chance  # the whole object is fetched anew for each
            if fault == WRONG:
                self._wrong.add(target)
            if fault == SLOW_DOWN:
                self._burst = _BURST - 1
            if fault in (SLOW_DOWN, ERROR):
                self.faults[fault] += 1
            return fault, chance


class _Stream:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._pending = b""

    def head(self) -> bytes:
        while b"\r\n\r\n" not in self._pending:
            self._more()
        head, _, self._pending = self._pending.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def body(self, length: int) -> bytes:
        pieces, missing = [self._pending[:length]], length - len(self._pending)
        self._pending = self._pending[length:]
        while missing > 0:
            got = self._connection.recv(min(missing, _BUFFER))
            if not got:
                raise EOFError
            pieces.append(got)
            missing -= len(got)
        return b"".join(pieces)

    def send(self, data: bytes | bytearray) -> None:
        self._connection.sendall(data)

    def reset(self) -> None:
        """Break the connection off: RST, and no FIN."""
        linger = b"\1\0\0\0\0\0\0\0"
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def _more(self) -> None:
        got = self._connection.recv(_BUFFER)
        if not got:
            raise EOFError
        self._pending += got


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
