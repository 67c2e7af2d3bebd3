"""The commands on jobs and disks: their arguments and help."""

import argparse
from collections.abc import Callable

from s3export.entrypoints.cli.argument_types import seconds
from s3export.entrypoints.cli.manifest_arguments import add_ignore


def add_jobs(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add them to the program."""
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

    add_ignore(create)

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
    add_ignore(update)

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
        help="ask again and again, and tell what changes, until nothing can change; "
        "with --json the document comes at the end",
    )
    status.add_argument(
        "--interval",
        type=seconds,
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
