"""The commands on verification: their arguments and help."""

import argparse
from collections.abc import Callable

from s3export.domain.containers import OpenWith
from s3export.entrypoints.cli.argument_types import (
    fraction,
    moment,
    pim,
    population,
    sample_size,
    share,
    size_in_bytes,
)
from s3export.entrypoints.cli.s3_arguments import add_s3


def add_verification(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add them to the program."""
    verify = command(
        "verify-backup",
        "compare a disk with what S3 holds",
        "Draws files at random and compares each with S3 by metadata alone; nothing "
        "is\ndownloaded, and nothing is written to the disk.",
    )
    verify.add_argument(
        "device",
        metavar="<device-path>",
        help="a disk, a partition, an image, or where it is mounted",
    )
    verify.add_argument(
        "password",
        metavar="<truecrypt-password>",
        nargs="?",
        help="as with the original program; others can read it (ps): better is "
        "--password-file",
    )
    _add_container(verify)
    verify.add_argument(
        "--bucket",
        metavar="NAME",
        help="what to compare with; disks of load-device say it themselves",
    )
    verify.add_argument("--manifest", metavar="FILE", help="the same, from a manifest")
    verify.add_argument(
        "--target-directory",
        metavar="DIR",
        help="where the backup is on the disk, in place of /<bucket>",
    )
    size = verify.add_mutually_exclusive_group()
    size.add_argument(
        "--sample-size", type=sample_size, metavar="N|all", help="default: 100"
    )
    size.add_argument(
        "--max-differing",
        type=share,
        metavar="SHARE",
        help="draw enough to prove, if none differs, that at most so many do: 0.1%%",
    )
    verify.add_argument("--seed", metavar="SEED", help="repeat an earlier draw")
    verify.add_argument(
        "--confidence", type=fraction, default=0.95, metavar="P", help="default: 0.95"
    )
    verify.add_argument(
        "--completeness",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="look for every object that S3 lists (default)",
    )
    verify.add_argument(
        "--whole",
        action="store_true",
        help="look for all that was named, even if the disk says it holds a part",
    )
    verify.add_argument(
        "--require",
        choices=("any", "strong"),
        default="any",
        help="strong: 32-bit checksums and uploaders' claims prove nothing",
    )
    verify.add_argument(
        "--all-findings",
        action="store_true",
        help="show the files that match, too, and each object that an empty disk lacks",
    )
    verify.add_argument(
        "--report",
        metavar="FILE",
        action="append",
        default=[],
        help="write the report there, too: .json, .csv or .html; may be repeated",
    )
    verify.add_argument(
        "--resume", metavar="REPORT.json", help="go on from an earlier run of this disk"
    )

    export = verify.add_argument_group("what is known of the export")
    export.add_argument(
        "--exported-at",
        type=moment,
        metavar="TIME",
        help="objects that are newer may differ: 2026-01-31 or 2026-01-31T12:00:00Z",
    )
    export.add_argument("--job-id", metavar="JOB", help="take its export log")
    export.add_argument(
        "--export-log",
        metavar="FILE",
        help="a file, or s3://bucket/key; default: /S3EXPORT/export-log-* on the disk",
    )

    remedy = verify.add_argument_group("what cannot be verified by metadata")
    remedy.add_argument(
        "--checksum-report",
        metavar="FILE",
        action="append",
        default=[],
        help="S3 Batch Operations' report; a file, or s3://bucket/key; repeatable",
    )
    remedy.add_argument(
        "--download-unverifiable",
        action="store_true",
        help="compare the content: this downloads the objects",
    )
    remedy.add_argument(
        "--download-budget",
        type=size_in_bytes,
        metavar="SIZE",
        help="download at most so much: 500MB, 2GiB",
    )

    add_s3(verify)

    plan = command(
        "plan-sample",
        "say how many files to draw",
        "For a sample in which no file differs. Needs neither a disk nor S3.",
    )
    plan.add_argument(
        "--files", type=population, required=True, metavar="N", help="on the disk"
    )
    plan.add_argument(
        "--max-differing",
        type=share,
        required=True,
        metavar="SHARE",
        help="the share that may be left plausible: 0.1%% or 0.001",
    )
    plan.add_argument(
        "--confidence", type=fraction, default=0.95, metavar="P", help="default: 0.95"
    )

    batch = command(
        "batch-checksum-manifest",
        "have S3 compute checksums of what could not be verified",
        "Prints the manifest (CSV) of an S3 Batch Operations job, Compute checksum, "
        "for the\nobjects that a report calls unverifiable; verify-backup "
        "--checksum-report takes the\njob's completion report.",
    )
    batch.add_argument("report", metavar="<report.json>")


def _add_container(verify: argparse.ArgumentParser) -> None:
    secret = verify.add_argument_group(
        "an encrypted container",
        "The password is also taken from S3EXPORT_TRUECRYPT_PASSWORD, from\n"
        "the manifest, or asked for.",
    )
    source = secret.add_mutually_exclusive_group()
    source.add_argument(
        "--password-file", metavar="FILE", help="its first line is the password"
    )
    source.add_argument(
        "--password-stdin", action="store_true", help="the first line of the input is"
    )
    secret.add_argument(
        "--keyfile", metavar="FILE", action="append", default=[], help="may be repeated"
    )
    secret.add_argument("--pim", type=pim, default=0, metavar="N", help="VeraCrypt's")
    which = secret.add_mutually_exclusive_group()
    which.add_argument(
        "--container", metavar="PATH", help="which file of the disk is the container"
    )
    which.add_argument(
        "--no-container",
        action="store_true",
        help="there is none: a file *.tc in the root is one of the backup's",
    )
    secret.add_argument(
        "--hidden", action="store_true", help="the volume in its free space"
    )
    secret.add_argument(
        "--backup-header",
        action="store_true",
        help="use the header at its end, if that at its start is damaged",
    )
    secret.add_argument(
        "--veracrypt",
        action=argparse.BooleanOptionalAction,
        help="try VeraCrypt, too (in userspace half a minute if the password is "
        "wrong); --no-veracrypt: TrueCrypt only",
    )
    secret.add_argument(
        "--open-with",
        choices=[means.value for means in OpenWith],
        default=OpenWith.AUTO.value,
        help="cryptsetup needs root and dm-crypt; userspace needs neither",
    )
    secret.add_argument(
        "--no-mount",
        action="store_true",
        help="keep the disk from the kernel: its file systems are read in userspace",
    )
