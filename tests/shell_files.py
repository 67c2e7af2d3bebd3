"""Makes the man page and the shells' completions from the program's own grammar.

    make shell-files

They are kept in ``entrypoints/cli/shipped-files/`` and are in the wheel, so that
neither a user nor a build needs what makes them; a test makes them again and compares.
"""

import argparse
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

import shtab
from argparse_manpage.manpage import Manpage

from s3export.entrypoints.cli.arguments import COMMON_OPTIONS, build_parser
from s3export.entrypoints.cli.completion import FILES, MAN_PAGE, SHIPPED
from s3export.entrypoints.cli.exit_codes import TABLE

_OF_FILES = {"FILE", "FILE.json", "DIR", "PATH", "FILE.json|.csv|.html"}
_OF_FILES |= {"<manifest-path>", "<device-path>", "<report.json>"}
"""By these names of arguments it is told that a file is meant."""


def subparsers(
    parser: argparse.ArgumentParser,
) -> Mapping[str, argparse.ArgumentParser]:
    """Return the commands, each with its grammar."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield every argument of the program and of its commands."""
    yield from parser._actions
    for command in subparsers(parser).values():
        yield from command._actions


def man_page() -> str:
    """Return the man page."""
    with mock.patch.dict(os.environ, {"COLUMNS": "80"}):
        parser = build_parser()
        parser.epilog = None
        for command in subparsers(parser).values():
            # the exit codes, and the options of every command, are told once
            command.epilog = None
            command._action_groups = [
                group
                for group in command._action_groups
                if group.title != COMMON_OPTIONS
            ]
        page = Manpage(parser)
        page.date, page.source, page.manual = "", "s3export", "User Commands"
        page.description = str(parser.description)
        codes = TABLE.partition("\n")[2].rstrip().replace("\\", "\\\\")
        page.add_section("exit status", "=", f".nf\n{codes}\n.fi")
        return str(page)


def completion(shell: str) -> str:
    """Return a shell's completions; it completes files where files are meant."""
    with mock.patch.dict(os.environ, {"COLUMNS": "80"}):
        parser = build_parser()
        for action in actions(parser):
            if action.metavar in _OF_FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
        return shtab.complete(parser, shell).rstrip() + "\n"


def made() -> Mapping[str, str]:
    """Return each file's text, by its path below ``shipped-files/``."""
    return {
        MAN_PAGE: man_page(),
        **{name: completion(shell) for shell, name in FILES.items()},
    }


def main() -> None:
    """Write them all."""
    for name, text in made().items():
        path = Path(SHIPPED, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
