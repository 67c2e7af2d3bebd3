"""The one place that runs programs."""

import logging
from dataclasses import dataclass

from plumbum import CommandNotFound, local
from plumbum.commands.base import BaseCommand

from s3export.adapters.command_lines import DEBIAN_PACKAGES, CommandLine
from s3export.domain.errors import DeviceFailed, ToolMissing

_log = logging.getLogger(__name__)

_SYSTEM_PATHS = ("/usr/sbin", "/sbin", "/usr/local/sbin")  # often not in a user's PATH


@dataclass(frozen=True)
class Output:
    """What a program printed, and its exit status."""

    stdout: str
    stderr: str
    status: int


class Commands:
    """Runs command lines in the C locale, in a session of their own.

    Of their own, so that the terminal's Ctrl-C reaches s3export alone, which then
    undoes what it did in order.
    """

    def run(self, line: CommandLine) -> Output:
        """Run a program to its end.

        Raises:
            ToolMissing: The program is not installed.
            DeviceFailed: It ended with a status that is not a good one.
        """
        program = self._find(line.program)
        command = program[line.argv[1:]].with_env(LC_ALL="C")
        _log.debug("run %s", " ".join(line.argv))
        status, stdout, stderr = (command << line.stdin).run(
            retcode=None, new_session=True
        )
        output = Output(_text(stdout), _text(stderr), status)
        if status not in line.good:
            _log.debug("status %s: %s%s", status, output.stdout, output.stderr)
            said = (output.stderr or output.stdout).strip().splitlines()
            reason = said[-1] if said else "it said nothing"
            raise DeviceFailed(f"{line.program} failed (status {status}): {reason}")
        return output

    def _find(self, program: str) -> BaseCommand:
        try:
            return local[program]
        except CommandNotFound:
            for directory in _SYSTEM_PATHS:
                path = local.path(directory) / program
                if path.exists():
                    return local[path]
        package = DEBIAN_PACKAGES.get(program, program)
        raise ToolMissing(
            f"the system tool {program} is not installed",
            next_step=f"install it with: apt-get install {package}",
        )


def _text(output: str | bytes) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output
