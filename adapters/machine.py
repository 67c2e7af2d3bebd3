"""Looks at the machine that the program runs on."""

import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from s3export.adapters import command_lines
from s3export.adapters.command_lines import DEBIAN_PACKAGES
from s3export.adapters.commands import Commands
from s3export.adapters.containers import fuse_volume, kernel, libgcrypt
from s3export.adapters.installation import adding, called_by_root
from s3export.adapters.privileges import may_administer
from s3export.domain.capabilities import ROOT, Part, PartKind
from s3export.domain.errors import DeviceFailed, ToolMissing
from s3export.domain.ports import Machine

OLDEST_PYTHON = (3, 11)

_MODULES = ("loop", "dm_mod", "dm_crypt", "algif_skcipher")
_FUSE = Path("/dev/fuse")
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*>=\s*([0-9.]+)\s*(;.*)?")


class SystemMachine(Machine):
    """The system's, looked at by files, by loading libraries and by asking tools.

    Args:
        requirements: What the package needs of others, as its metadata says.
    """

    def __init__(
        self, commands: Commands, requirements: Sequence[str] | None = None
    ) -> None:
        self._commands = commands
        self._requirements = requirements

    def name(self) -> str:
        """Put the names together that the system gives itself."""
        return f"{_distribution()}, {os.uname().sysname} {os.uname().release}"

    def parts(self) -> Sequence[Part]:
        """Look at everything."""
        return tuple(
            [
                _privilege(),
                *self._kernel(),
                *(self._tool(*pair) for pair in sorted(DEBIAN_PACKAGES.items())),
                _library("libgcrypt", "libgcrypt20", libgcrypt.version),
                _library("libfuse3", "fuse3", fuse_volume.library),
                _python(),
                *requirement_parts(self._required()),
            ]
        )

    def _kernel(self) -> Iterator[Part]:
        for module in _MODULES:
            lack = kernel.what_is_lacking([module], targets=self._targets)
            advice = "use another kernel, or a machine that is no container"
            yield Part(module, PartKind.KERNEL, not lack, lack, advice=advice)
        yield Part(
            "fuse",
            PartKind.KERNEL,
            _FUSE.exists(),
            "" if _FUSE.exists() else f"there is no {_FUSE}",
            advice="load it: modprobe fuse; a container must be given /dev/fuse",
        )

    def _targets(self) -> str:
        try:
            line = command_lines.list_device_mapper_targets()
            return self._commands.run(line).stdout
        except (DeviceFailed, ToolMissing):
            return ""

    def _tool(self, program: str, package: str) -> Part:
        try:
            output = self._commands.run(command_lines.tell_version(program))
        except ToolMissing:
            return Part(program, PartKind.TOOL, False, "not installed", package)
        except DeviceFailed as error:  # there, and it does not run
            return Part(program, PartKind.TOOL, False, error.message, package)
        said = _VERSION.search(output.stdout + output.stderr)
        return Part(program, PartKind.TOOL, True, said[0] if said else "", package)

    def _required(self) -> Sequence[str]:
        if self._requirements is not None:
            return self._requirements
        try:
            return metadata.requires("s3export") or ()
        except metadata.PackageNotFoundError:  # a source tree, never installed
            return ()


def requirement_parts(requirements: Sequence[str]) -> Iterator[Part]:
    """Yield a part for each requirement of another package.

    Args:
        requirements: As metadata has them: ``boto3>=1.36``.
    """
    for requirement in requirements:
        found = _REQUIREMENT.fullmatch(requirement)
        if not found:
            raise ValueError(
                f"a requirement of a form that is not known: {requirement}"
            )
        name, oldest, condition = found.groups()
        present, detail = _compared(name, oldest)
        extra = re.search(r"extra == ['\"](.+?)['\"]", condition or "")
        yield Part(
            name,
            PartKind.PYTHON,
            present,
            detail,
            requirement="" if extra else requirement,
            advice=adding(requirement.partition(";")[0].strip()) if extra else "",
        )


def _compared(name: str, oldest: str) -> tuple[bool, str]:
    try:
        installed = metadata.version(name)
    except metadata.PackageNotFoundError:
        return False, "not installed"
    if _numbers(installed) < _numbers(oldest):
        return False, f"{installed} is older than {oldest}"
    return True, installed


def _numbers(version: str) -> tuple[int, ...]:
    leading = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, leading[0].split("."))) if leading else ()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "a system without a name"


def _privilege() -> Part:
    present = may_administer()
    detail = "root"
    advice = f"run what needs it as root: sudo {called_by_root()} COMMAND"
    if not present and os.geteuid() == 0:
        detail = "root that may not mount (CAP_SYS_ADMIN is missing)"
        advice = "give the container the capability SYS_ADMIN"
    elif not present:
        detail = f"not root (user {os.geteuid()})"
    return Part(ROOT, PartKind.PRIVILEGE, present, detail, advice=advice)


def _library(name: str, package: str, version: Callable[[], str]) -> Part:
    try:
        return Part(name, PartKind.LIBRARY, True, version(), package)
    except ToolMissing as error:
        return Part(name, PartKind.LIBRARY, False, error.message, package)


def _python() -> Part:
    present = sys.version_info >= OLDEST_PYTHON
    advice = "use Python " + ".".join(map(str, OLDEST_PYTHON)) + " or later"
    return Part(
        "python", PartKind.PYTHON, present, platform.python_version(), advice=advice
    )
