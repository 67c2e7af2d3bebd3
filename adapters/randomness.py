"""The system's source of randomness."""

import secrets

from s3export.domain.ports import Randomness

_UNLIKE = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits without those that look like another: i, l, o, 0, 1."""


class SystemRandomness(Randomness):
    """Draws from the operating system."""

    def seed(self) -> str:
        """Return 64 random bits in hexadecimal."""
        return secrets.token_hex(8)

    def password(self) -> str:
        """Return 28 characters of 31 in groups of four: 138 bits."""
        letters = iter([secrets.choice(_UNLIKE) for _ in range(28)])
        return "-".join(map("".join, zip(*[letters] * 4, strict=True)))
