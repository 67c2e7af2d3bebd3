"""What a bucket can be called."""

import re

from s3export.domain.errors import InputRefused

_BUCKET = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,253}[A-Za-z0-9])?")
"""Names that some S3 has allowed: AWS's before 2018, and other servers' short ones."""


def refuse_misnamed(bucket: str) -> None:
    """Refuse what no bucket can be called, before anybody is asked for it.

    Raises:
        InputRefused: It is none; the next step says what a name may be.
    """
    if _BUCKET.fullmatch(bucket):
        return
    name, _, prefix = bucket.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(name):
        advice = "a name is 3 to 63 of a-z, 0-9, - and ."
    elif prefix:
        advice = (
            "a part of a bucket goes through a manifest: s3export new-manifest "
            f"FILE.yml --bucket {name}/{prefix}, then --manifest FILE.yml"
        )
    else:
        advice = f"write the name alone: {name}"
    raise InputRefused(f"{bucket!r} is not a bucket's name", next_step=advice)
