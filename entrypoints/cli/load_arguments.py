"""The command that loads a disk: its arguments and help."""

import argparse
from collections.abc import Callable

from s3export.entrypoints.cli.s3_arguments import add_s3


def add_load(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add it to the program."""
    load = command(
        "load-device",
        "load a disk with what a manifest selects, as AWS did",
        "Shows the plan and asks; then ERASES the disk, loads it, and writes the "
        "export log.\nThe same command goes on with a load that was cut off.",
    )
    load.set_defaults(password=None, keyfile=[], pim=0)
    load.add_argument("manifest", metavar="<manifest-path>")
    load.add_argument("device", metavar="<device-path>")
    load.add_argument(
        "--dry-run", action="store_true", help="end after the plan; write nothing"
    )
    load.add_argument(
        "--encrypt",
        choices=("truecrypt", "luks2", "none"),
        default="truecrypt",
        help="a TrueCrypt container with the manifest's password (default), a LUKS2 "
        "partition, or nothing",
    )
    source = load.add_mutually_exclusive_group()
    source.add_argument(
        "--password-file", metavar="FILE", help="its first line is the password"
    )
    source.add_argument(
        "--password-stdin", action="store_true", help="the first line of the input is"
    )
    load.add_argument(
        "--job-id",
        metavar="<job-id>",
        help="names log and container; by default that of SIGNATURE on the disk, or a "
        "new one",
    )
    load.add_argument(
        "--continue-from",
        metavar="LOG",
        help="begin after the last object of this export log, that of the disk before: "
        "a file, s3://bucket/key, or that disk itself",
    )
    load.add_argument(
        "--start-over",
        action="store_true",
        help="erase the disk even where it holds a part of this very load",
    )
    load.add_argument(
        "--read-back",
        action="store_true",
        help="read the disk again at the end, and compare with what was written",
    )
    load.add_argument(
        "--then-verify",
        action="store_true",
        help="verify the disk against S3 at the end: all files, and completeness",
    )
    load.add_argument(
        "--whole-disk",
        action="store_true",
        help="a file system without a partition table around it",
    )
    load.add_argument(
        "--full-format",
        action="store_true",
        help="write all of the file system's tables now, which takes minutes",
    )
    load.add_argument(
        "--backup-directory",
        metavar="DIR",
        help="save the old partition table there (/var/lib/s3export/erased-disks)",
    )
    load.add_argument(
        "--allow-fixed-disk",
        action="store_true",
        help="for scripts: take a disk that is built in, too",
    )
    load.add_argument(
        "--confirm-device",
        metavar="SERIAL",
        help="confirm for scripts: the disk's serial, or its path if it has none",
    )
    add_s3(load)
