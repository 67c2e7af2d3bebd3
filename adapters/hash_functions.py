"""The digests that S3 knows, from the standard library and from AWS's own.

SHA and MD5 come from OpenSSL through `hashlib`, CRC-32 from zlib; CRC-32C, CRC-64/NVME
and the XXHash family from the AWS Common Runtime, which AWS's clients compute them by.
What the installed runtime does not have is not offered.
"""

import hashlib
import zlib
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from awscrt import checksums

from s3export.domain.digests import Hash
from s3export.domain.ports import HashFunctions

_XXHASHES = {
    "XXHASH64": "new_xxhash64",
    "XXHASH3": "new_xxhash3_64",
    "XXHASH128": "new_xxhash3_128",
}


class InstalledHashes(HashFunctions):
    """Whatever the installed libraries can compute."""

    def __init__(self) -> None:
        self._new = _installed()

    def algorithms(self) -> Collection[str]:
        """Return the names."""
        return self._new.keys()

    def new(self, algorithm: str) -> Hash:
        """Begin a digest."""
        if algorithm not in self._new:
            raise ValueError(f"{algorithm} cannot be computed here")
        return self._new[algorithm]()


def _installed() -> Mapping[str, Callable[[], Hash]]:
    found: dict[str, Callable[[], Hash]] = {
        "MD5": lambda: hashlib.md5(usedforsecurity=False),
        "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
        "SHA256": hashlib.sha256,
        "SHA512": hashlib.sha512,
        "CRC32": lambda: _Crc(zlib.crc32, 4),
        "CRC32C": lambda: _Crc(checksums.crc32c, 4),
    }
    if hasattr(checksums, "crc64nvme"):
        found["CRC64NVME"] = lambda: _Crc(checksums.crc64nvme, 8)
    family = getattr(checksums, "XXHash", None)
    for name, constructor in _XXHASHES.items():
        if hasattr(family, constructor):
            found[name] = partial(_XxHash, getattr(family, constructor))
    return found


class _Crc(Hash):
    """A CRC: its digest is its value, highest byte first."""

    def __init__(self, function: Callable[[memoryview, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: memoryview, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size)


class _XxHash(Hash):
    """A hash of the runtime, which calls its last step otherwise."""

    def __init__(self, new: Callable[[], Any]) -> None:
        self._running = new()

    def update(self, data: memoryview, /) -> None:
        self._running.update(bytes(data))  # it takes no other buffer

    def digest(self) -> bytes:
        return bytes(self._running.finalize())
