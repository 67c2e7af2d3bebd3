"""The ciphers of TrueCrypt and VeraCrypt over the 512-byte units of a volume.

A cascade encrypts with one cipher after the other, each in XTS mode with keys of its
own (TrueCrypt 7.1a User's Guide, "Encryption Algorithms" and "Modes of Operation").
Its name says the last cipher first: AES-Twofish encrypts with Twofish, then with AES.
Here a cascade is a tuple in the order of encryption, which is also that of the keys.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from s3export.adapters.containers.libgcrypt import Xts
from s3export.domain.errors import DeviceUnreadable

UNIT_BYTES: Final = 512  # whatever the sector size
_KEY_BYTES = 32

Cascade = tuple[str, ...]


def _cascades(*names: str) -> tuple[Cascade, ...]:
    return tuple(tuple(reversed(name.split("-"))) for name in names)


TRUECRYPT: Final = _cascades(
    "aes",
    "serpent",
    "twofish",
    "aes-twofish",
    "aes-twofish-serpent",
    "serpent-aes",
    "serpent-twofish-aes",
    "twofish-serpent",
)
"""Most used first."""

VERACRYPT: Final = (*TRUECRYPT, *_cascades("camellia", "camellia-serpent"))
"""Of VeraCrypt's, those without Kuznyechik, which libgcrypt does not have."""

LONGEST_KEYS: Final = 3 * 2 * _KEY_BYTES


def name_of(cascade: Cascade) -> str:
    """Return TrueCrypt's name for it, with the mode."""
    return "-".join((*reversed(cascade), "xts"))


def cascade_named(name: str) -> Cascade:
    """Return the cascade of a name such as ``aes-twofish``.

    Raises:
        ValueError: TrueCrypt has none of that name.
    """
    (cascade,) = _cascades(name.lower().removesuffix("-xts"))
    if cascade not in TRUECRYPT:
        raise ValueError(f"TrueCrypt has no cipher {name}")
    return cascade


def keys_size(cascade: Cascade) -> int:
    """Return how many bytes of keys a cascade takes."""
    return len(cascade) * 2 * _KEY_BYTES


def wipe(data: bytearray) -> None:
    """Overwrite key material; copies that Python made of it stay."""
    data[:] = bytes(len(data))


def encrypt_header(cascade: Cascade, keys: bytearray, plain: bytes) -> bytes:
    """Encrypt a header, which is one data unit, the first, of less than 512 bytes."""
    data = bytearray(plain)
    cipher = SectorCipher(cascade, keys)
    try:
        cipher.encrypt(data, 0, len(data))
    finally:
        cipher.close()
    return bytes(data)


def decrypt_header(cascade: Cascade, keys: bytearray, data: bytes) -> bytearray:
    """Decrypt a header; it is the caller's to wipe."""
    plain = bytearray(data)
    cipher = SectorCipher(cascade, keys)
    try:
        cipher.decrypt(plain, 0, len(plain))
    finally:
        cipher.close()
    return plain


def _start(cascade: Cascade, keys: bytearray) -> list[Xts]:
    """Give each cipher its two keys: first come all data keys, then all tweak keys."""
    tweaks = len(cascade) * _KEY_BYTES
    started: list[Xts] = []
    try:
        for number, cipher in enumerate(cascade):
            at = number * _KEY_BYTES
            key = bytearray(keys[at : at + _KEY_BYTES])
            key += keys[tweaks + at : tweaks + at + _KEY_BYTES]
            started.append(Xts(cipher, key))
            wipe(key)
    except BaseException:
        _close(started)
        raise
    return started


def _close(ciphers: list[Xts]) -> None:
    for cipher in ciphers:
        cipher.close()


class SectorCipher:
    """A volume's cascade with its master keys. Thread-safe.

    Each call works with a set of ciphers of its own, since one holds the number of its
    data unit; a set that is not in use is kept for the next call.
    """

    def __init__(self, cascade: Cascade, keys: bytes | bytearray) -> None:
        self._cascade = cascade
        self._keys = bytearray(keys)
        self._idle: list[list[Xts]] = []
        self._lock = Lock()
        self._closed = False

    def encrypt(
        self, data: bytearray, first_unit: int, unit_bytes: int = UNIT_BYTES
    ) -> None:
        """Encrypt whole units in place."""
        with self._ciphers() as ciphers:
            for cipher in ciphers:
                cipher.encrypt(data, first_unit, unit_bytes)

    def decrypt(
        self, data: bytearray, first_unit: int, unit_bytes: int = UNIT_BYTES
    ) -> None:
        """Decrypt whole units in place."""
        with self._ciphers() as ciphers:
            for cipher in reversed(ciphers):
                cipher.decrypt(data, first_unit, unit_bytes)

    def close(self) -> None:
        """Wipe the keys; idempotent. Sets in use are released by who uses them."""
        with self._lock:
            self._closed = True
            wipe(self._keys)
            idle, self._idle = self._idle, []
        for ciphers in idle:
            _close(ciphers)

    @contextmanager
    def _ciphers(self) -> Iterator[list[Xts]]:
        with self._lock:
            if self._closed:
                raise DeviceUnreadable("the encrypted volume is closed")
            ciphers = (
                self._idle.pop() if self._idle else _start(self._cascade, self._keys)
            )
        try:
            yield ciphers
        finally:
            with self._lock:
                keep = not self._closed
                if keep:
                    self._idle.append(ciphers)
            if not keep:
                _close(ciphers)
