"""The system's source of randomness."""

import secrets

from s3export.domain.ports import Randomness


class SystemRandomness(Randomness):
    """Draws from the operating system."""

    def seed(self) -> str:
        """Return 64 random bits in hexadecimal."""
        return secrets.token_hex(8)
