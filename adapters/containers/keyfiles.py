"""Keyfiles mixed into a password as TrueCrypt does it.

A pool of 64 bytes: each byte of a keyfile changes the running CRC-32, whose four bytes,
highest first, are added to the pool at a position that moves on and around; then the
pool is added to the password. Source: TrueCrypt 7.1a User's Guide, "Keyfiles";
VeraCrypt's documentation, the page of the same name, with its pool of 128 bytes for
passwords over 64.
"""

import zlib
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import Final

from s3export.domain.errors import FileRefused

POOL_BYTES: Final = 64
LARGE_POOL_BYTES: Final = 128
_READ_BYTES = 1 << 20  # what comes later in a keyfile does not count
_ONE_BYTE = tuple(bytes([value]) for value in range(256))
_INVERTED = 0xFFFFFFFF  # zlib inverts the register at the end; TrueCrypt does not


def mix(password: bytes, keyfiles: Iterable[bytes], pool_bytes: int) -> bytes:
    """Return a password with the contents of keyfiles mixed in, in any order."""
    pool = [0] * pool_bytes
    for content in keyfiles:
        states = accumulate(
            (_ONE_BYTE[byte] for byte in content[:_READ_BYTES]),
            lambda crc, byte: zlib.crc32(byte, crc),
            initial=0,
        )
        next(states)
        added = b"".join([(crc ^ _INVERTED).to_bytes(4, "big") for crc in states])
        for place in range(pool_bytes):
            pool[place] += sum(added[place::pool_bytes])
    padded = password.ljust(pool_bytes, b"\0")
    return bytes((a + b) % 256 for a, b in zip(padded, pool, strict=True))


def read(path: str) -> bytes:
    """Return as much of a keyfile as counts.

    Raises:
        FileRefused: It cannot be read, or is empty.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(_READ_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileRefused(f"keyfile {path}: {reason}") from error
    if not content:
        raise FileRefused(f"keyfile {path}: it is empty")
    return content
