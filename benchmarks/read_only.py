"""Fetch every object over plain sockets and throw it away: what the endpoint can do."""

import os
import socket
import sys
from urllib.parse import urlsplit

from benchmarks.fast_s3 import BUCKET, Objects

_AHEAD = 16
_RECEIVE_BYTES = 1 << 20


def fetch(port: int, keys: list[str], size_bytes: int) -> None:
    """Fetch some objects through one connection, several requests ahead."""
    requests = [
        f"GET /{BUCKET}/{key} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        for key in keys
    ]
    buffer = bytearray(_RECEIVE_BYTES)
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.sendall(requests[0])
        got = server.recv_into(buffer)
        one = buffer.index(b"\r\n\r\n") + 4 + size_bytes  # all heads are of one length
        asked = 1
        while got < one * len(requests):
            while asked < len(requests) and got > one * (asked - _AHEAD):
                server.sendall(requests[asked])
                asked += 1
            come = server.recv_into(buffer)
            if not come:
                sys.exit("the endpoint ended the connection")
            got += come


def main() -> None:
    """Fetch all, with as many processes as there are processors."""
    url, count, size_bytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    port = urlsplit(url).port or 80
    keys = Objects(count, size_bytes).keys()
    many = os.cpu_count() or 1
    children = []
    for number in range(many):
        child = os.fork()
        if not child:
            fetch(port, keys[number::many], size_bytes)
            os._exit(0)
        children.append(child)
    for child in children:
        if os.waitpid(child, 0)[1]:
            sys.exit("a connection failed")


if __name__ == "__main__":
    main()
