"""Keys of customers (SSE-C), however they are written down."""

import base64
import binascii

from s3export.adapters.input_files import content_of
from s3export.domain.errors import FileRefused
from s3export.domain.secret import Secret

KEY_BYTES = 32
"""Of AES256, the only algorithm that S3 has for them."""


def customer_key(written: bytes) -> Secret:
    """Return a key in base64, as S3 is told it.

    Args:
        written: 32 bytes, or text in base64 or hexadecimal that stands for them; white
            space around text is ignored.

    Raises:
        ValueError: It is none of them. The message does not repeat it.
    """
    if len(written) == KEY_BYTES:
        key = written
    else:
        text = written.strip()
        decode = base64.b16decode if len(text) == 2 * KEY_BYTES else base64.b64decode
        try:
            key = decode(text.upper() if len(text) == 2 * KEY_BYTES else text)
        except (binascii.Error, ValueError):
            key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(
            "a key of the customer (SSE-C) is 32 bytes, or these in base64 or "
            "hexadecimal"
        )
    return Secret(base64.b64encode(key).decode())


def customer_key_in(path: str) -> Secret:
    """Return the key in a file.

    Raises:
        FileRefused: The file cannot be read, or has no key.
    """
    content = content_of(path, "a file with a customer's key")
    try:
        return customer_key(content)
    except ValueError as error:
        raise FileRefused(f"{path}: {error}") from None
