"""Making a volume: its headers, and the encryption of its content.

The container is three parts: `NewVolume.header` at its start, the encrypted content
from `DATA_OFFSET`, and `NewVolume.backup_header` at its end. What no header takes is
random, as TrueCrypt leaves it: so nobody can tell that there is no hidden volume.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from s3export.adapters.containers import key_derivation, sector_ciphers, tcrypt_header
from s3export.adapters.containers.key_derivation import SALT_BYTES
from s3export.adapters.containers.opening import TRUECRYPT_PASSWORD_BYTES
from s3export.adapters.containers.sector_ciphers import (
    LONGEST_KEYS,
    UNIT_BYTES,
    Cascade,
    SectorCipher,
    wipe,
)
from s3export.adapters.containers.tcrypt_header import DATA_OFFSET, HEADER_BYTES
from s3export.domain.secret import Secret

OVERHEAD_BYTES: Final = 2 * DATA_OFFSET
"""How much larger a container is than its content."""


class EncryptingSink:
    """Turns plain sectors into those of the container. Thread-safe."""

    def __init__(self, cipher: SectorCipher) -> None:
        self._cipher = cipher

    def encrypt(self, start: int, plain: bytes) -> bytes:
        """Encrypt whole sectors.

        Args:
            start: Their place in the content, in bytes; `DATA_OFFSET` less than in the
                container.
        """
        if start < 0 or start % UNIT_BYTES or len(plain) % UNIT_BYTES:
            raise ValueError(f"whole sectors of {UNIT_BYTES} bytes are encrypted")
        data = bytearray(plain)
        self._cipher.encrypt(data, (DATA_OFFSET + start) // UNIT_BYTES)
        return bytes(data)

    def close(self) -> None:
        """Wipe the keys; idempotent."""
        self._cipher.close()


@dataclass(frozen=True)
class NewVolume:
    """What a container begins and ends with, and what encrypts all between."""

    header: bytes = field(repr=False)
    backup_header: bytes = field(repr=False)
    sink: EncryptingSink


def format_volume(
    size_bytes: int,
    password: Secret,
    random: Callable[[int], bytes],
    cipher: str = "aes",
    prf: str = "ripemd160",
) -> NewVolume:
    """Make a TrueCrypt 7 volume.

    Args:
        size_bytes: Of the plain content; a multiple of 512.
        random: Returns as many bytes as asked for, fit for keys: `secrets.token_bytes`.
        cipher: TrueCrypt's name, such as ``aes`` or ``aes-twofish-serpent``.
        prf: ``ripemd160``, ``sha512`` or ``whirlpool``.

    Raises:
        ToolMissing: libgcrypt is not installed.
    """
    if size_bytes <= 0 or size_bytes % UNIT_BYTES:
        raise ValueError(f"a volume has whole sectors of {UNIT_BYTES} bytes")
    secret = password.reveal().encode("utf-8", "surrogateescape")
    if not 0 < len(secret) <= TRUECRYPT_PASSWORD_BYTES:
        raise ValueError(f"a password has 1 to {TRUECRYPT_PASSWORD_BYTES} bytes")
    cascade = sector_ciphers.cascade_named(cipher)
    derivations = {each.hash_name: each for each in key_derivation.TRUECRYPT}
    if prf not in derivations:
        raise ValueError(f"TrueCrypt derives no key with {prf}")
    keys = random(sector_ciphers.keys_size(cascade))
    plain = tcrypt_header.build(size_bytes, keys)

    def group() -> bytes:
        """Make a header with its own salt, and the random rest of its 128 KiB."""
        salt = random(SALT_BYTES)
        header_keys = derivations[prf].key(secret, salt, LONGEST_KEYS)
        encrypted = _encrypted(cascade, header_keys, plain)
        return salt + encrypted + random(DATA_OFFSET - HEADER_BYTES)

    return NewVolume(group(), group(), EncryptingSink(SectorCipher(cascade, keys)))


def _encrypted(cascade: Cascade, keys: bytearray, plain: bytes) -> bytes:
    try:
        return sector_ciphers.encrypt_header(cascade, keys, plain)
    finally:
        wipe(keys)
