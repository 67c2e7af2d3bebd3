"""How TrueCrypt and VeraCrypt make the key of a header: PBKDF2 with some hash.

Neither stores which hash it was; all are tried. Iterations: TrueCrypt 7.1a User's
Guide, "Header Key Derivation, Salt, and Iteration Count"; VeraCrypt's documentation,
the page of the same name, and "PIM".
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from s3export.adapters.containers.libgcrypt import pbkdf2

SALT_BYTES: Final = 64
_OPENSSL = ("sha512", "sha256")  # in every build of it, and 2 to 3 times as fast


@dataclass(frozen=True)
class Derivation:
    """A hash and how often it is applied."""

    hash_name: str
    iterations: int

    def key(self, password: bytes, salt: bytes, size: int) -> bytearray:
        """Derive a header's key. The interpreter's other threads go on meanwhile."""
        if self.hash_name in _OPENSSL:
            return bytearray(
                hashlib.pbkdf2_hmac(
                    self.hash_name, password, salt, self.iterations, size
                )
            )
        return pbkdf2(self.hash_name, password, salt, self.iterations, size)


TRUECRYPT: Final = (
    Derivation("ripemd160", 2000),
    Derivation("sha512", 1000),
    Derivation("whirlpool", 1000),
)

_VERACRYPT = {
    "sha512": 500_000,
    "sha256": 500_000,
    "blake2s": 500_000,
    "whirlpool": 500_000,
    "ripemd160": 655_331,
}
"""The default first. Not Streebog: libgcrypt takes 20 seconds for one header."""


def veracrypt(pim: int | None) -> tuple[Derivation, ...]:
    """Return VeraCrypt's derivations, for a Personal Iterations Multiplier or none."""
    return tuple(
        Derivation(name, 15_000 + 1000 * pim if pim else usual)
        for name, usual in _VERACRYPT.items()
    )
