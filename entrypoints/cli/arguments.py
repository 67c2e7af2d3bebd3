"""The grammar of the command line, and its help."""

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from s3export.domain.containers import OpenWith
from s3export.domain.manifests.fields import FILE_SYSTEMS
from s3export.entrypoints.cli.exit_codes import TABLE
from s3export.entrypoints.version import installed_version

_DESCRIPTION = "Take S3 buckets to a disk and prove that the disk is right."

A = TypeVar("A")

Subcommands = Any  # argparse has no public name for the result of add_subparsers


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; every global option works before and after the command."""
    options = _global_options()
    parser = argparse.ArgumentParser(
        prog="s3export",
        description=_DESCRIPTION,
        epilog=TABLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[options],
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"s3export {installed_version()}"
    )
    commands = parser.add_subparsers(dest="command", metavar="<command>", required=True)

    def command(name: str, summary: str, more: str = "") -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}. {more}".strip(),
            epilog=TABLE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[options],
            allow_abbrev=False,
        )
        return added

    _add_jobs(command)
    _add_manifests(command)
    _add_verification(command)
    _add_sandbox(command)
    return parser


def _global_options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=False
    )
    group = options.add_argument_group("options of every command")
    flag: dict[str, Any] = {"action": "store_true"}
    group.add_argument(
        "--quiet", **flag, help="no progress, no informational lines; results only"
    )
    group.add_argument(
        "--quiet-warnings", **flag, help="print no warnings (they stay in --json)"
    )
    group.add_argument(
        "--non-interactive", **flag, help="never ask; what would be asked is refused"
    )
    group.add_argument(
        "--forks", type=_count, metavar="N", help="files hashed, requests made at once"
    )
    group.add_argument(
        "--json", **flag, help="one JSON document on standard output, nothing else"
    )
    group.add_argument("--config", metavar="FILE", help="settings (TOML)")
    group.add_argument("--profile", metavar="NAME", help="AWS profile")
    group.add_argument("--region", metavar="NAME", help="AWS region")
    group.add_argument("--endpoint-url", metavar="URL", help="a server in AWS's place")
    group.add_argument("--verbose", **flag, help="tell what is run, and show traces")
    return options


def _add_jobs(command: Callable[..., argparse.ArgumentParser]) -> None:
    create = command(
        "create-job",
        "create an export job and prepare its disk",
        "AWS validates the manifest first; then the plan is shown and confirmed; then "
        "the\njob is created, the disk ERASED and formatted, and SIGNATURE written to "
        "it.",
    )
    create.add_argument("manifest", metavar="<manifest-path>")
    create.add_argument("device", metavar="<device-path>")
    create.add_argument(
        "--skip-format", action="store_true", help="keep the disk's file system"
    )
    create.add_argument(
        "--dry-run", action="store_true", help="end after the plan; write nothing"
    )
    create.add_argument(
        "--resume",
        metavar="<job-id>",
        help="go on with a job whose disk is not ready; none is created",
    )
    create.add_argument(
        "--online",
        action="store_true",
        help="ask S3 what is selected; refuse a disk that is too small for it",
    )
    create.add_argument(
        "--several-disks",
        action="store_true",
        help="with --online: take it all the same, the rest goes onto others",
    )
    create.add_argument(
        "--whole-disk",
        action="store_true",
        help="a file system without a partition table around it",
    )
    create.add_argument(
        "--full-format",
        action="store_true",
        help="write all of the file system's tables now, which takes minutes",
    )
    create.add_argument(
        "--backup-directory",
        metavar="DIR",
        help="save the old partition table there (/var/lib/s3export/erased-disks)",
    )
    create.add_argument(
        "--allow-fixed-disk",
        action="store_true",
        help="for scripts: take a disk that is built in, too",
    )
    create.add_argument(
        "--confirm-device",
        metavar="SERIAL",
        help="confirm for scripts: the disk's serial, or its path if it has none",
    )

    _add_ignore(create)

    command(
        "list-devices",
        "list disks, and why some may not be chosen",
        "Without root less is known of what is on them. Nothing is changed.",
    )

    update = command(
        "update-job",
        "replace a job's manifest",
        "Shows how it differs from the one that AWS holds,\npasswords and PINs hidden; "
        "AWS validates it first. A disk whose SIGNATURE names another\njob is refused.",
    )
    update.add_argument("job_id", metavar="<job-id>")
    update.add_argument("manifest", metavar="<manifest-path>")
    update.add_argument(
        "device",
        metavar="<device-path>",
        nargs="?",
        help="rewrite SIGNATURE there if it changed",
    )
    update.add_argument("--dry-run", action="store_true", help="show and validate only")
    _add_ignore(update)

    cancel = command(
        "cancel-job", "cancel a job", "Shows how the job stands, and asks before."
    )
    cancel.add_argument("job_id", metavar="<job-id>")
    cancel.add_argument(
        "--yes", action="store_true", help="do not ask; needed by scripts"
    )

    status = command(
        "get-status",
        "show what AWS tells of a job",
        "Says what it means, whose turn it is, and what to do next.",
    )
    status.add_argument("job_id", metavar="<job-id>")
    status.add_argument(
        "--watch",
        action="store_true",
        help="ask again and again, and tell what changes, until nothing can change",
    )
    status.add_argument(
        "--interval",
        type=_seconds,
        metavar="SECONDS",
        help="between two looks of --watch; default: 300",
    )
    status.add_argument(
        "--signature",
        metavar="FILE",
        help="write the job's SIGNATURE there; in a directory, as SIGNATURE",
    )
    status.add_argument(
        "--show-manifest",
        action="store_true",
        help="the manifest that AWS holds, passwords and PINs hidden",
    )

    listing = command("list-jobs", "list the account's jobs, newest first")
    listing.add_argument(
        "--details",
        action="store_true",
        help="location, progress and whose turn it is, too: one more request a job",
    )

    label = command("get-shipping-label", "print where a parcel's label is")
    label.add_argument("job_ids", metavar="<job-id>", nargs="+")
    label.add_argument(
        "--manifest", metavar="FILE", help="the parcel comes from its return address"
    )


def _add_manifests(command: Callable[..., argparse.ArgumentParser]) -> None:
    check = command(
        "check-manifest",
        "find every problem of a manifest at once",
        "What AWS would refuse, and what it would carry out and nobody wants. Exit 4 "
        "if there\nis an error.",
    )
    check.add_argument("manifest", metavar="<manifest-path>", nargs="?")
    check.add_argument(
        "--online",
        action="store_true",
        help="ask S3, too: buckets, permissions, region, what is selected",
    )
    check.add_argument(
        "--device",
        metavar="<device-path>",
        help="the disk that is meant: its serial number and its size",
    )
    check.add_argument(
        "--disk-size",
        type=_bytes,
        metavar="SIZE",
        help="with --online: how many disks of this size are needed: 4TB",
    )
    _add_ignore(check)
    check.add_argument("--strict", action="store_true", help="warnings count as errors")
    check.add_argument(
        "--list-rules", action="store_true", help="print the rules and their names"
    )

    new = command(
        "new-manifest",
        "write a commented manifest",
        "From options, and from answers where somebody can be asked; what is not said "
        "stays to\nbe filled in. Only you can read the file.",
    )
    new.add_argument(
        "manifest",
        metavar="<manifest-path>",
        nargs="?",
        default="-",
        help="a new file; by default it is printed, without a password",
    )
    new.add_argument(
        "--bucket",
        metavar="NAME[/PREFIX]",
        action="append",
        default=[],
        help="what to export; may be repeated",
    )
    new.add_argument("--device-id", metavar="TEXT", help="the disk's serial number")
    new.add_argument("--log-bucket", metavar="NAME")
    new.add_argument("--log-prefix", metavar="TEXT")
    new.add_argument("--email", metavar="ADDRESS[;ADDRESS]")
    new.add_argument(
        "--file-system", choices=FILE_SYSTEMS, default=FILE_SYSTEMS[0], help="EXT4"
    )
    new.add_argument(
        "--customs", action="store_true", help="with a section for customs"
    )
    new.add_argument(
        "--set",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        help="any other field: returnAddress.city=Seattle; may be repeated",
    )
    secret = new.add_mutually_exclusive_group()
    secret.add_argument(
        "--password-file", metavar="FILE", help="its first line is the password"
    )
    secret.add_argument(
        "--password-stdin", action="store_true", help="the first line of the input is"
    )
    secret.add_argument(
        "--generate-password", action="store_true", help="the best there is"
    )
    secret.add_argument(
        "--pin", action="store_true", help="the disk has a PIN: no password"
    )

    command("manifest-schema", "print the manifest's JSON Schema, for editors")


def _add_ignore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ignore",
        metavar="RULE",
        action="append",
        default=[],
        help="be silent about a warning, by its name in brackets; may be repeated",
    )


def _add_verification(command: Callable[..., argparse.ArgumentParser]) -> None:
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
        help="as with the original program; visible in the process list: better is",
    )
    _add_container(verify)
    verify.add_argument("--bucket", metavar="NAME", help="what to compare with")
    verify.add_argument("--manifest", metavar="FILE", help="the same, from a manifest")
    verify.add_argument(
        "--target-directory",
        metavar="DIR",
        help="where the backup is on the disk, in place of /<bucket>",
    )
    size = verify.add_mutually_exclusive_group()
    size.add_argument(
        "--sample-size", type=_sample_size, metavar="N|all", help="default: 100"
    )
    size.add_argument(
        "--max-differing",
        type=_share,
        metavar="SHARE",
        help="draw enough to prove, if none differs, that at most so many do: 0.1%%",
    )
    verify.add_argument("--seed", metavar="SEED", help="repeat an earlier draw")
    verify.add_argument(
        "--confidence", type=_fraction, default=0.95, metavar="P", help="default: 0.95"
    )
    verify.add_argument(
        "--completeness",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="look for every object that S3 lists (default)",
    )
    verify.add_argument(
        "--require",
        choices=("any", "strong"),
        default="any",
        help="strong: 32-bit checksums and uploaders' claims prove nothing",
    )
    verify.add_argument(
        "--all-findings", action="store_true", help="show the files that match, too"
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
        type=_moment,
        metavar="TIME",
        help="objects that are newer may differ: 2026-01-31 or 2026-01-31T12:00:00Z",
    )
    export.add_argument("--job-id", metavar="JOB", help="take its export log")
    export.add_argument(
        "--export-log", metavar="FILE", help="a file, or s3://bucket/key"
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
        type=_bytes,
        metavar="SIZE",
        help="download at most so much: 500MB, 2GiB",
    )

    plan = command(
        "plan-sample",
        "say how many files to draw",
        "For a sample in which no file differs. Needs neither a disk nor S3.",
    )
    plan.add_argument(
        "--files", type=_population, required=True, metavar="N", help="on the disk"
    )
    plan.add_argument(
        "--max-differing",
        type=_share,
        required=True,
        metavar="SHARE",
        help="the share that may be left plausible: 0.1%% or 0.001",
    )
    plan.add_argument(
        "--confidence", type=_fraction, default=0.95, metavar="P", help="default: 0.95"
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
        "The password is also taken from S3EXPORT_TRUECRYPT_PASSWORD, from the "
        "manifest,\nor asked for.",
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
    secret.add_argument("--pim", type=_pim, default=0, metavar="N", help="VeraCrypt's")
    secret.add_argument(
        "--container", metavar="PATH", help="which file of the disk is the container"
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


def _add_sandbox(command: Callable[..., argparse.ArgumentParser]) -> None:
    sandbox = command(
        "sandbox",
        "try the whole story on this machine",
        "Without <action>: an S3 endpoint with the export service, a bucket, a disk "
        "and a\nmanifest, until Ctrl-C. Needs: pip install 's3export[sandbox]'.",
    )
    sandbox.add_argument(
        "action",
        nargs="?",
        choices=("serve", "deliver", "demo"),
        default="serve",
        help="serve (default); deliver: the loading facility receives and loads a "
        "device; demo: the whole story, with planted damage",
    )
    sandbox.add_argument(
        "device", metavar="<device-path>", nargs="?", help="for deliver"
    )
    sandbox.add_argument(
        "--job", metavar="<job-id>", help="for deliver: what the parcel's label says"
    )
    sandbox.add_argument(
        "--port", type=_port, default=0, help="for serve; default: a free one"
    )


def _saying(what: str) -> Callable[[Callable[[str], A]], Callable[[str], A]]:
    """Have argparse say what is expected, not the name of a function."""

    def decorate(function: Callable[[str], A]) -> Callable[[str], A]:
        def converted(text: str) -> A:
            try:
                return function(text)
            except ValueError:
                raise argparse.ArgumentTypeError(f"{text!r} is not {what}") from None

        return converted

    return decorate


@_saying("a number from 1 to 1024")
def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1024:
        raise argparse.ArgumentTypeError("a number from 1 to 1024")
    return number


@_saying("a number of seconds from 1 to 86400")
def _seconds(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 86_400:
        raise argparse.ArgumentTypeError("a number of seconds from 1 to 86400")
    return number


@_saying("a number from 0 to 65535")
def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError("a number from 0 to 65535")
    return number


@_saying("a number between 0 and 1, such as 0.95")
def _fraction(text: str) -> float:
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError("a number between 0 and 1, such as 0.95")
    return number


def _share(text: str) -> float:
    percent = text.endswith("%")
    try:
        share = float(Decimal(text.removesuffix("%")) / (100 if percent else 1))
    except InvalidOperation:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError("a share such as 0.1% or 0.001")
    return share


@_saying("a number from 0 to 2147468")
def _pim(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 2_147_468:  # VeraCrypt's own limit
        raise argparse.ArgumentTypeError("a number from 0 to 2147468")
    return number


@_saying("a number of files")
def _population(text: str) -> int:
    number = int(text.replace(",", "").replace("_", ""))
    if number < 0:
        raise argparse.ArgumentTypeError("a number of files")
    return number


@_saying("a day or a time, such as 2026-01-31 or 2026-01-31T12:00:00Z")
def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([kKMGT])(i?))?B?", text)
    if not found:
        raise argparse.ArgumentTypeError("a size such as 500MB or 2GiB")
    number, unit, binary = found.groups()
    power = "kMGT".index(unit.replace("K", "k")) + 1 if unit else 0
    return int(Decimal(number) * (1024 if binary else 1000) ** power)


def _sample_size(text: str) -> int | str:
    if text == "all":
        return text
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number from 1, or all")
    return int(text)
