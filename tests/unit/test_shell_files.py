"""Help, man page, completions and README say the same, since one grammar makes them."""

import argparse
import re
from pathlib import Path

import pytest
from shell_files import made, subparsers

from s3export.entrypoints.cli.arguments import build_parser
from s3export.entrypoints.cli.completion import FILES, SHIPPED, completion_of
from s3export.entrypoints.cli.exit_codes import TABLE
from s3export.entrypoints.cli.program import COMMANDS, command_function

ROOT = Path(__file__).parents[2]
DOCUMENTATION = "\n".join(
    path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
)
PARSERS = subparsers(build_parser())


def options(parser: argparse.ArgumentParser) -> set[str]:
    """Return the long options of a grammar."""
    return {
        option
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }


@pytest.mark.parametrize("name", made())
def test_what_is_shipped_is_what_the_grammar_makes(name: str) -> None:
    """Whoever changes the grammar runs ``make shell-files``."""
    assert (SHIPPED / name).read_text() == made()[name]


def test_nothing_else_is_shipped() -> None:
    """A file that nothing makes would grow old."""
    there = {str(p.relative_to(SHIPPED)) for p in SHIPPED.rglob("*") if p.is_file()}

    assert there == set(made())


@pytest.mark.parametrize("command", PARSERS)
def test_every_command_has_its_function(command: str) -> None:
    """And is in the man page, in each shell's completions, and in the documentation."""
    page = made()["man/s3export.1"].replace("\\-", "-")

    assert callable(command_function(command))
    assert f"\n.SH COMMAND \\fI\\,'s3export {command}'" in page
    for shell in FILES:
        assert command in completion_of(shell)
    assert re.search(rf"`[^`]*\b{command}\b[^`]*`", DOCUMENTATION)


def test_every_function_has_its_command() -> None:
    """None is left behind by a command that went."""
    assert set(COMMANDS) == set(PARSERS)


@pytest.mark.parametrize("command", PARSERS)
def test_every_option_is_in_the_man_page_and_the_completions(command: str) -> None:
    """By its name."""
    page = made()["man/s3export.1"].replace("\\-", "-")

    for option in options(PARSERS[command]):
        assert option in page
        assert option in completion_of("bash")
        assert option in completion_of("zsh")
        assert f"-l {option[2:]}" in completion_of("fish")


def test_the_man_page_has_the_exit_codes_once() -> None:
    """Those of the help."""
    page = made()["man/s3export.1"]

    for line in TABLE.splitlines()[1:]:
        assert page.splitlines().count(line) == 1


@pytest.mark.parametrize("shell", FILES)
def test_files_are_completed_where_files_are_meant(shell: str) -> None:
    """By the shell's own way to do so."""
    own = {
        "bash": "_shtab_compgen_files",
        "zsh": "_files",
        "fish": "__fish_complete_path",
    }

    assert own[shell] in completion_of(shell)


@pytest.mark.parametrize("command", [*PARSERS, ""])
def test_help_has_room_in_80_columns(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the usage of what must not stand together, which argparse keeps whole."""
    monkeypatch.setenv("COLUMNS", "80")
    parser = build_parser()

    text = {"": parser, **subparsers(parser)}[command].format_help()

    assert [
        line for line in text.splitlines() if len(line) > 79 and " | " not in line
    ] == []
