"""The commands around the work: what this machine can do, and how it is set up."""

import argparse
from collections.abc import Callable

from s3export.domain.capabilities import TASKS
from s3export.domain.confidence import DEFAULT_LEVEL
from s3export.entrypoints.cli.argument_types import fraction, moment
from s3export.entrypoints.cli.completion import FILES


def add_operation(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add them to the program."""
    doctor = command(
        "doctor",
        "say what this machine can do, and what is missing",
        "Looks at privileges, kernel, tools, libraries, credentials, S3, the clock;\n"
        "changes nothing, and ends with the command that adds what is missing.",
    )
    doctor.add_argument(
        "--offline",
        action="store_true",
        help="send S3 no request",
    )
    doctor.add_argument(
        "--for",
        dest="tasks",
        action="append",
        choices=[task.name for task in TASKS],
        metavar="TASK",
        default=[],
        help="judge the machine by this task; may be repeated; default: what verifying "
        f"needs; one of {', '.join(task.name for task in TASKS)}",
    )
    config = command(
        "config",
        "show the settings, or edit their file",
        "show: each setting and where it comes from; path: the file's place; edit:\n"
        "open it in $VISUAL or $EDITOR, and check it afterwards. Options go before\n"
        "the environment, which goes before the file, which goes before the default.",
    )
    config.add_argument(
        "action", choices=("show", "path", "edit"), help="what is to be done"
    )
    history = command(
        "history",
        "say what has ever been verified, from reports",
        "Each run with its verdict, those with differences first; and what all runs of "
        "a\nbackup prove together. No bound is given where a run found differences.",
    )
    history.add_argument(
        "reports",
        metavar="<report.json>",
        nargs="+",
        help="what verify-backup --report wrote; or a directory of such files",
    )
    history.add_argument(
        "--confidence",
        type=fraction,
        default=DEFAULT_LEVEL,
        metavar="LEVEL",
        help="of the bound; default: 0.95",
    )
    history.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="show older runs and do not count them: what they found was put right",
    )
    completion = command(
        "completion",
        "print what makes a shell complete commands and options",
        'For bash: eval "$(s3export completion bash)" in ~/.bashrc; for zsh: into a '
        "file\n_s3export in a directory of $fpath; for fish: into\n"
        "~/.config/fish/completions/s3export.fish.",
    )
    completion.add_argument("shell", choices=sorted(FILES), help="which shell")
    command(
        "man-page",
        "print the man page",
        "To read it wherever the program runs: s3export man-page | man -l -",
    )
