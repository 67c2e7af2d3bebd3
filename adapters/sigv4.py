"""Signatures of AWS, version 4, for requests without a body.

What botocore's ``S3SigV4Auth`` computes in a tenth of the time, for a loader that signs
a thousand requests a second. A test compares the two.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Protocol

EMPTY_SHA256 = hashlib.sha256().hexdigest()
_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(Protocol):
    """What botocore calls frozen credentials."""

    @property
    def access_key(self) -> str:
        """The public half."""

    @property
    def secret_key(self) -> str:
        """The secret half."""

    @property
    def token(self) -> str | None:
        """Of a session; none for credentials that do not end."""


class Signer:
    """Signs for S3 in one region. Thread-safe: it keeps one key, which it may lose."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._key: tuple[tuple[str, str], bytes] = (("", ""), b"")

    def signed(
        self,
        credentials: Credentials,
        path: str,
        query: str,
        headers: Mapping[str, str],
    ) -> dict[str, str]:
        """Return the headers of a GET with those that sign it.

        Args:
            path: As it is sent, percent-encoded.
            query: As it is sent: sorted, percent-encoded, without ``?``.
            headers: All that are to be signed, names in lower case; ``host`` is one.

        """
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        signing = {
            **headers,
            "x-amz-content-sha256": EMPTY_SHA256,
            "x-amz-date": now,
        }
        if credentials.token:
            signing["x-amz-security-token"] = credentials.token
        names = sorted(signing)
        signed_names = ";".join(names)
        lines = "\n".join([f"{name}:{signing[name]}" for name in names])
        request = (
            f"GET\n{path}\n{query}\n{lines}\n\n{signed_names}\n{EMPTY_SHA256}"
        ).encode()
        day = now[:8]
        scope = f"{day}/{self._region}/s3/aws4_request"
        text = f"{_ALGORITHM}\n{now}\n{scope}\n{hashlib.sha256(request).hexdigest()}"
        key = self._signing_key(credentials.secret_key, day)
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        signing["authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={signed_names}, Signature={signature}"
        )
        return signing

    def _signing_key(self, secret_key: str, day: str) -> bytes:
        made_for, key = self._key
        if made_for != (secret_key, day):
            key = f"AWS4{secret_key}".encode()
            for text in (day, self._region, "s3", "aws4_request"):
                key = hmac.digest(key, text.encode(), "sha256")
            self._key = ((secret_key, day), key)
        return key
