"""What a bucket can be called."""

import re

from s3export.domain.errors import InputRefused

ON_AWS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
"""Amazon S3 User Guide, "Bucket naming rules", those before March 2018 included."""

ON_AWS_TODAY = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

FORM = "3 to 63 of a-z, 0-9, - and ."
"""What a name may be today, in words."""

_ANYWHERE = re.compile(rf"{ON_AWS.pattern}|[A-Za-z0-9]{{1,2}}")
"""Names that some S3 has allowed: AWS's, and other servers' short ones."""


def refuse_misnamed(bucket: str) -> None:
    """Refuse what no bucket can be called, before anybody is asked for it.

    Raises:
        InputRefused: It is none; the next step says what a name may be.
    """
    if _ANYWHERE.fullmatch(bucket):
        return
    name, _, prefix = bucket.removeprefix("s3://").partition("/")
    if not _ANYWHERE.fullmatch(name):
        advice = f"a name is {FORM}"
    elif prefix:
        advice = (
            "a part of a bucket goes through a manifest: s3export new-manifest "
            f"FILE.yml --bucket {name}/{prefix}, then --manifest FILE.yml"
        )
    else:
        advice = f"write the name alone: {name}"
    raise InputRefused(f"{bucket!r} is not a bucket's name", next_step=advice)
