"""The program: parse, run one command, say how it went."""

import argparse
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from s3export.adapters.interruption import Interrupted, Interruption
from s3export.domain.errors import S3ExportError
from s3export.entrypoints.cli.arguments import build_parser
from s3export.entrypoints.cli.exit_codes import ExitCode, of_error, of_signal
from s3export.entrypoints.cli.terminal import Terminal, harmless, standard_terminal

if TYPE_CHECKING:
    from s3export.entrypoints.cli.commands import Call

COMMANDS = {
    "create-job": "commands.create_job",
    "load-device": "load_commands.load_device",
    "update-job": "commands.update_job",
    "cancel-job": "commands.cancel_job",
    "get-status": "commands.get_status",
    "list-jobs": "commands.list_jobs",
    "get-shipping-label": "commands.get_shipping_label",
    "list-devices": "commands.list_devices",
    "check-manifest": "manifest_commands.check_manifest",
    "new-manifest": "manifest_commands.new_manifest",
    "manifest-schema": "manifest_commands.manifest_schema",
    "verify-backup": "commands.verify_backup",
    "plan-sample": "commands.plan_sample",
    "batch-checksum-manifest": "commands.batch_checksum_manifest",
    "config": "config_commands.config",
    "history": "operator_commands.history",
    "completion": "completion.completion",
    "man-page": "completion.man_page",
    "doctor": "operator_commands.doctor",
    "sandbox": "commands.sandbox",
}
"""The module and function of each, imported when it is called: help stays quick."""


def command_function(name: str) -> "Callable[[Call], int]":
    """Return what carries a command out."""
    module, _, function = COMMANDS[name].partition(".")
    found = import_module(f"s3export.entrypoints.cli.{module}")
    carry_out: Callable[[Call], int] = getattr(found, function)
    return carry_out


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: The arguments; by default those of the process.

    Returns:
        The exit code.
    """
    _open_standard_streams()
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as done:  # argparse's way to end after --help or wrong usage
        return int(done.code or 0)
    wishes = vars(arguments)
    terminal = standard_terminal(
        quiet=wishes.get("quiet", False),
        quiet_warnings=wishes.get("quiet_warnings", False),
        non_interactive=wishes.get("non_interactive", False),
        as_json=wishes.get("json", False),
    )
    verbose = bool(wishes.get("verbose", False))
    interruption = Interruption()
    try:
        with interruption.installed(), _logging(verbose=verbose):
            return _run(arguments, terminal, interruption, verbose=verbose)
    except Interrupted as interrupted:
        return _interrupted(interrupted, terminal, wishes["command"])


def _open_standard_streams() -> None:
    """Open those that the caller closed, as daemons do: on nothing.

    Otherwise the next file that is opened, a disk perhaps, would take the place of one
    and be sent our messages (POSIX gives the lowest free number).
    """
    for number, (name, mode) in enumerate(
        (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
    ):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _run(
    arguments: argparse.Namespace,
    terminal: Terminal,
    interruption: Interruption,
    *,
    verbose: bool,
) -> int:
    from s3export.entrypoints.cli.commands import Call

    call = Call(arguments, terminal, interruption)
    try:
        return command_function(arguments.command)(call)
    except S3ExportError as error:
        if verbose:
            logging.getLogger(__name__).debug("the trace", exc_info=True)
        with contextlib.suppress(S3ExportError):  # nobody can be told
            terminal.fail(call.advised(error))
        return of_error(error)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone: nothing left to say
        return of_signal(signal.SIGPIPE)
    except Exception as error:
        if verbose:
            raise
        notes = getattr(error, "__notes__", [])
        said = [f"s3export: a bug: {type(error).__name__}: {error}"]
        said += [f"  {harmless(note)}" for note in notes[:-1]]
        said += [f"  next: {harmless(note)}" for note in notes[-1:]]
        said.append("  next: run it again with --verbose and report what it prints")
        _print(said, terminal)
        return ExitCode.BUG


def _interrupted(interrupted: Interrupted, terminal: Terminal, command: str) -> int:
    said = [
        f"s3export: interrupted ({interrupted}); everything mounted or attached was "
        "released"
    ]
    notes = getattr(interrupted, "__notes__", [])
    said += [f"  {harmless(note)}" for note in notes[:-1]]
    way_on = "run the same command again"
    if command == "verify-backup":
        way_on += "; one with --report FILE.json goes on with --resume FILE.json"
    said.append(f"  next: {harmless(notes[-1]) if notes else way_on}")
    _print(said, terminal)
    return of_signal(interrupted.signum)


def _print(lines: Sequence[str], terminal: Terminal) -> None:
    with contextlib.suppress(OSError):  # nobody can be told; the exit code still is
        print("\n".join(lines), file=terminal.err, flush=True)


@contextmanager
def _logging(*, verbose: bool) -> Iterator[None]:
    """Show what s3export logs on standard error, if that is wanted."""
    logger = logging.getLogger("s3export")
    before = logger.level
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    if verbose:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
