"""How this program was installed: by what it is called, and what adds to it."""

import importlib.util
import os
import re
import shlex
import shutil
import sys
from importlib import metadata
from pathlib import Path

_NAME = "s3export"

FROM_CLONE = "in the clone of s3export: pipx install --force '.[sandbox]'"
"""What brings the sandbox wherever pipx is, and however s3export was installed."""


def called() -> str:
    """Return what calls this program in a shell: its path where PATH lacks it."""
    path = _path()
    found = shutil.which(_NAME)
    if path and found and os.path.realpath(found) == os.path.realpath(path):
        return _NAME
    return called_by_root()


def called_by_root() -> str:
    """Return the same for sudo, which has a PATH of its own."""
    path = _path()
    return shlex.quote(path) if path else f"{shlex.quote(sys.executable)} -m {_NAME}"


def _path() -> str:
    """Return where the program lies; empty if it runs as a module."""
    begun = Path.cwd() / sys.argv[0]
    there = begun.name == _NAME and begun.is_file() and os.access(begun, os.X_OK)
    return str(begun) if there else ""


def adding(requirement: str) -> str:
    """Return the command that adds a package to where this program is installed.

    Args:
        requirement: As pip takes it.
    """
    quoted = shlex.quote(requirement)
    environment = Path(sys.prefix)
    if (environment / "pipx_metadata.json").exists():
        return f"pipx inject {shlex.quote(environment.name)} {quoted}"
    if sys.prefix != sys.base_prefix and importlib.util.find_spec("pip"):
        return f"{shlex.quote(sys.executable)} -m pip install {quoted}"
    return FROM_CLONE  # Debian's own Python takes nothing from pip


def adding_the_sandbox() -> str:
    """Return the command that adds what the sandbox needs."""
    try:
        required = metadata.requires(_NAME) or ()
    except metadata.PackageNotFoundError:  # a source tree, never installed
        required = ()
    wanted = [r for r in required if re.search(r"extra == ['\"]sandbox['\"]", r)]
    return adding(wanted[0].partition(";")[0].strip()) if wanted else FROM_CLONE
