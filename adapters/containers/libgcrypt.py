"""The ciphers and key derivations of libgcrypt, through ctypes.

OpenSSL, and with it every wheel on PyPI that is kept up, has neither Serpent nor
Twofish nor, in all builds, RIPEMD-160 and Whirlpool; libgcrypt has them all, and XTS in
C. The numbers are those of gcrypt.h, which are part of its ABI (libgcrypt.so.20, since
1.8.0 of 2017, which brought XTS).
"""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

from s3export.domain.errors import DeviceFailed, ToolMissing

_LIBRARY = "libgcrypt.so.20"
_OLDEST = b"1.8.0"

_DISABLE_SECMEM, _INITIALIZATION_FINISHED, _INITIALIZATION_FINISHED_P = 37, 38, 40
_MODE_XTS = 13
_KDF_PBKDF2 = 34
_CIPHERS = {"aes": 9, "twofish": 303, "serpent": 306, "camellia": 312}
_HASHES = {"ripemd160": 3, "whirlpool": 305, "blake2s": 322}

_pointer, _size, _bytes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
_int, _status = ctypes.c_int, ctypes.c_uint
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "gcry_check_version": (_bytes, [_bytes]),
    "gcry_strerror": (_bytes, [_status]),
    "gcry_cipher_open": (_status, [_pointer, _int, _int, ctypes.c_uint]),
    "gcry_cipher_close": (None, [_pointer]),
    "gcry_cipher_setkey": (_status, [_pointer, _pointer, _size]),
    "gcry_cipher_setiv": (_status, [_pointer, _bytes, _size]),
    "gcry_cipher_encrypt": (_status, [_pointer, _pointer, _size, _pointer, _size]),
    "gcry_cipher_decrypt": (_status, [_pointer, _pointer, _size, _pointer, _size]),
    "gcry_kdf_derive": (
        _status,
        [_bytes, _size, _int, _int, _bytes, _size, ctypes.c_ulong, _size, _pointer],
    ),
}


class Xts:
    """One cipher of 256-bit keys in XTS mode. For one thread at a time."""

    def __init__(self, cipher: str, key: bytearray) -> None:
        self._gcrypt = _library()
        self._handle = ctypes.c_void_p()
        self._check(
            cipher,
            self._gcrypt.gcry_cipher_open(
                ctypes.byref(self._handle), _CIPHERS[cipher], _MODE_XTS, 0
            ),
        )
        status = self._gcrypt.gcry_cipher_setkey(self._handle, _address(key), len(key))
        if status:
            self.close()
        self._check(cipher, status)

    def encrypt(self, data: bytearray, first_unit: int, unit_bytes: int) -> None:
        """Encrypt in place, one data unit after the other."""
        self._each_unit(self._gcrypt.gcry_cipher_encrypt, data, first_unit, unit_bytes)

    def decrypt(self, data: bytearray, first_unit: int, unit_bytes: int) -> None:
        """Decrypt in place, one data unit after the other."""
        self._each_unit(self._gcrypt.gcry_cipher_decrypt, data, first_unit, unit_bytes)

    def close(self) -> None:
        """Release it; libgcrypt wipes the key."""
        self._gcrypt.gcry_cipher_close(self._handle)
        self._handle = ctypes.c_void_p()

    def _each_unit(
        self, step: Callable[..., int], data: bytearray, unit: int, size: int
    ) -> None:
        handle = self._handle
        # Each call makes it the next unit's number (cipher-xts.c, since 1.8.0): one
        # call a unit less, which nearly halves what decrypting costs.
        status = self._gcrypt.gcry_cipher_setiv(handle, unit.to_bytes(16, "little"), 16)
        self._check("a data unit", status)
        first = _address(data)
        for place in range(first, first + len(data), size):
            if status := step(handle, place, size, None, 0):
                self._check("a data unit", status)

    def _check(self, what: str, status: int) -> None:
        if status:
            raise _failed(self._gcrypt, what, status)


def pbkdf2(
    hash_name: str, password: bytes, salt: bytes, iterations: int, size: int
) -> bytearray:
    """Derive a key by PBKDF2 with HMAC."""
    gcrypt = _library()
    key = bytearray(size)
    # Some versions refuse an empty one. HMAC pads with zeros, so that this is the same.
    password = password or b"\0"
    status = gcrypt.gcry_kdf_derive(
        password, len(password), _KDF_PBKDF2, _HASHES[hash_name], salt, len(salt),
        iterations, size, _address(key),
    )  # fmt: skip
    if status:
        raise _failed(gcrypt, f"PBKDF2 with {hash_name}", status)
    return key


def _address(data: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(data))


def _failed(gcrypt: ctypes.CDLL, what: str, status: int) -> DeviceFailed:
    reason = gcrypt.gcry_strerror(status).decode(errors="replace")
    return DeviceFailed(f"libgcrypt failed: {what}: {reason}")


def version() -> str:
    """Return the version of the library that is installed.

    Raises:
        ToolMissing: There is none, or it is too old.
    """
    said: bytes = _library().gcry_check_version(None)
    return said.decode()


@cache
def _library() -> ctypes.CDLL:
    try:
        gcrypt = ctypes.CDLL(_LIBRARY)
    except OSError:
        raise ToolMissing(
            f"the system library {_LIBRARY} is not installed",
            next_step="install it with: apt-get install libgcrypt20",
        ) from None
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(gcrypt, name)
        function.argtypes, function.restype = arguments, result
    # The first call of all: it sets the library up.
    if not gcrypt.gcry_check_version(_OLDEST):
        raise ToolMissing(
            f"the system library {_LIBRARY} is older than {_OLDEST.decode()}",
            next_step="update it with: apt-get install libgcrypt20",
        )
    if not gcrypt.gcry_control(_INITIALIZATION_FINISHED_P):
        # Its locked memory is 32 KiB for the whole process: too few for many readers.
        gcrypt.gcry_control(_DISABLE_SECMEM, 0)
        gcrypt.gcry_control(_INITIALIZATION_FINISHED, 0)
    return gcrypt
