"""The grammar of the command line, and its help."""

import argparse
import sys
import textwrap
from collections.abc import Callable
from typing import Any

from s3export.entrypoints.cli.argument_types import count, port
from s3export.entrypoints.cli.exit_codes import TABLE
from s3export.entrypoints.cli.job_arguments import add_jobs
from s3export.entrypoints.cli.load_arguments import add_load
from s3export.entrypoints.cli.manifest_arguments import add_manifests
from s3export.entrypoints.cli.operator_arguments import add_operation
from s3export.entrypoints.cli.usage import Parser
from s3export.entrypoints.cli.verify_arguments import add_verification

_DESCRIPTION = "Take S3 buckets to a disk and prove that the disk is right."

COMMON_OPTIONS = "options of every command"

Subcommands = Any  # argparse has no public name for the result of add_subparsers


class _Version(argparse.Action):
    """Looks the version up when it is asked for: that takes longer than the help."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from s3export.entrypoints.version import installed_version

        sys.stdout.write(f"s3export {installed_version()}\n")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; every global option works before and after the command."""
    options = _global_options()
    parser = Parser(
        prog="s3export",
        description=_DESCRIPTION,
        epilog=TABLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[options],
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        help="show program's version number and exit",
    )
    commands = parser.add_subparsers(dest="command", metavar="<command>", required=True)

    def command(name: str, summary: str, more: str = "") -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(
            name,
            help=summary,
            description=_described(f"{summary[0].upper()}{summary[1:]}.", more),
            epilog=TABLE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[options],
            allow_abbrev=False,
        )
        return added

    add_jobs(command)
    add_manifests(command)
    add_verification(command)
    add_load(command)
    add_operation(command)
    _add_sandbox(command)
    return parser


def _described(summary: str, more: str) -> str:
    """Return lines for 80 columns: argparse leaves them alone.

    Shells show the first one beside a command that they complete.
    """
    rest = textwrap.fill(
        " ".join(more.split()), 79, break_long_words=False, break_on_hyphens=False
    )
    return f"{summary}\n{rest}".strip()


def _global_options() -> Parser:
    options = Parser(
        add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=False
    )
    group = options.add_argument_group(COMMON_OPTIONS)
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
        "--forks", type=count, metavar="N", help="files hashed, requests made at once"
    )
    group.add_argument(
        "--json",
        **flag,
        help="one JSON document on standard output at the end, nothing else there; "
        "after an error none; long work tells on standard error how far it is",
    )
    group.add_argument("--config", metavar="FILE", help="settings (TOML)")
    group.add_argument("--profile", metavar="NAME", help="AWS profile")
    group.add_argument("--region", metavar="NAME", help="AWS region")
    group.add_argument("--endpoint-url", metavar="URL", help="a server in AWS's place")
    group.add_argument("--verbose", **flag, help="tell what is run, and show traces")
    return options


def _add_sandbox(command: Callable[..., argparse.ArgumentParser]) -> None:
    sandbox = command(
        "sandbox",
        "try the whole story on this machine",
        "Without <action>: an S3 endpoint with the export service, a bucket, a disk "
        "and a\nmanifest, until Ctrl-C. Needs the extra of this name: from a clone, "
        "pipx install\n--force '.[sandbox]'; or what s3export doctor says.",
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
        "--port", type=port, default=0, help="for serve; default: a free one"
    )
