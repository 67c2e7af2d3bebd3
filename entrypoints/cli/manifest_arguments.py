"""The commands on manifests: their arguments and help."""

import argparse
from collections.abc import Callable

from s3export.domain.file_systems import FILE_SYSTEMS
from s3export.entrypoints.cli.argument_types import size_in_bytes
from s3export.entrypoints.cli.s3_arguments import add_s3


def add_manifests(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add them to the program."""
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
        type=size_in_bytes,
        metavar="SIZE",
        help="with --online: how many disks of this size are needed: 4TB",
    )
    _add_purpose(check)
    add_ignore(check)
    check.add_argument("--strict", action="store_true", help="warnings count as errors")
    check.add_argument(
        "--list-rules", action="store_true", help="print the rules and their names"
    )
    add_s3(check)

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
    _add_purpose(new)
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


def _add_purpose(parser: argparse.ArgumentParser) -> None:
    """Add the option that says what a manifest is for."""
    parser.add_argument(
        "--for",
        dest="purpose",
        choices=("create-job", "load-device"),
        default="create-job",
        help="the command that is to take it: load-device needs no address, customs, "
        "serial number or log bucket",
    )


def add_ignore(parser: argparse.ArgumentParser) -> None:
    """Add the option to be silent about rules of manifests."""
    parser.add_argument(
        "--ignore",
        metavar="RULE",
        action="append",
        default=[],
        help="be silent about a warning, by its name in brackets; may be repeated",
    )
