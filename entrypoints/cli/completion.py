"""Completions and man page, made beforehand: to print them needs nothing else."""

from pathlib import Path
from typing import TYPE_CHECKING

from s3export.entrypoints.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from s3export.entrypoints.cli.commands import Call

SHIPPED = Path(__file__).parent / "shipped-files"

FILES = {
    "bash": "bash/s3export",
    "zsh": "zsh/_s3export",
    "fish": "fish/s3export.fish",
}
"""By shell: the file, named as the shell looks for it."""

MAN_PAGE = "man/s3export.1"


def completion(call: "Call") -> int:
    """Print what makes a shell complete the program's commands and options."""
    shell = call.arguments.shell
    script = completion_of(shell)
    call.terminal.result(script.splitlines(), {"shell": shell, "script": script})
    return ExitCode.DONE


def man_page(call: "Call") -> int:
    """Print the man page, for those whose ``man`` does not find it."""
    page = (SHIPPED / MAN_PAGE).read_text()
    call.terminal.result(page.splitlines(), {"page": page})
    return ExitCode.DONE


def completion_of(shell: str) -> str:
    """Return what makes a shell complete ``s3export``."""
    return (SHIPPED / FILES[shell]).read_text()
