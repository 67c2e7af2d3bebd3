"""The one place that runs programs."""

import contextlib
import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plumbum import CommandNotFound, local
from plumbum.commands.base import BaseCommand
from plumbum.commands.processes import run_proc

from s3export.adapters.command_lines import DEBIAN_PACKAGES, CommandLine
from s3export.domain.errors import DeviceFailed, ToolMissing

if TYPE_CHECKING:
    from plumbum.machines.base import PopenWithAddons

_log = logging.getLogger(__name__)

_SYSTEM_PATHS = ("/usr/sbin", "/sbin", "/usr/local/sbin")  # often not in a user's PATH

_PIPE_BYTES = 4096  # what a pipe always takes: pipe(7)
_SECONDS_TO_END = 5.0


@dataclass(frozen=True)
class Output:
    """What a program printed, and its exit status."""

    stdout: str
    stderr: str
    status: int


class Commands:
    """Runs command lines in the C locale, in a session of their own.

    They see none of s3export's own settings, some of which are secrets.

    Of their own, so that the terminal's Ctrl-C reaches s3export alone, which then
    undoes what it did in order. That includes the program that runs: it is ended, and
    waited for, before the exception goes on, so that nothing writes to a disk behind
    the message that says how far it came.

    Args:
        shield: Entered while a program is started, so that an interruption never comes
            between starting it and knowing it.
    """

    def __init__(
        self,
        shield: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        self._shield = shield

    def run(self, line: CommandLine, *, secret: bytes | None = None) -> Output:
        """Run a program to its end.

        Args:
            secret: Given to its standard input in place of ``line.stdin``, through a
                pipe: it is in no argument, variable, file or log. At most 4096 bytes.

        Raises:
            ToolMissing: The program is not installed.
            DeviceFailed: It ended with a status that is not a good one.
        """
        program = self._find(line.program)
        command = program[line.argv[1:]].with_env(LC_ALL="C", **_withheld())
        _log.debug("run %s", " ".join(line.argv))
        if secret is None:
            status, stdout, stderr = self._run(command << line.stdin)
        else:
            with _piped(secret) as stdin:
                status, stdout, stderr = self._run(command, stdin=stdin)
        output = Output(_text(stdout), _text(stderr), status)
        if status not in line.good:
            _log.debug("status %s: %s%s", status, output.stdout, output.stderr)
            said = _lines_that_say_something(output.stderr or output.stdout)
            reason = said[-1] if said else "it said nothing"
            raise DeviceFailed(
                f"{line.program} failed (status {status}): {reason}",
                next_step="" if said else "look at what the kernel says: dmesg",
            )
        return output

    def serve(self, line: CommandLine, given: bytes, *, file: int) -> "Server":
        """Start a program that goes on after this one has ended; call it shielded.

        Its environment has nothing of ours but where modules are found: it may outlive
        us, and what is secret here must not be read there.

        Args:
            given: What goes to its standard input, through a pipe. At most 4096 bytes.
            file: A descriptor that it inherits, under the same number.

        Raises:
            ToolMissing: The program is not installed.
        """
        environment = {
            name: os.pathsep.join(map(os.path.abspath, os.environ[name].split(":")))
            for name in ("PATH", "PYTHONPATH")
            if name in os.environ
        }
        _log.debug("start %s", " ".join(line.argv))
        with _piped(given) as stdin:
            try:
                process = subprocess.Popen(
                    line.argv,
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(file,),
                    cwd="/",
                    env={**environment, "LC_ALL": "C.UTF-8"},
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                raise ToolMissing(f"{line.program} is not there to be run") from error
        return Server(process)

    def run_on_the_terminal(self, line: CommandLine) -> int:
        """Run a program that talks with whoever sits there; return its exit status.

        It has our terminal, and our environment but for our own settings. Ctrl-C is its
        business and not ours until it ends.

        Raises:
            ToolMissing: The program is not installed.
        """
        kept = {n: v for n, v in os.environ.items() if not n.startswith("S3EXPORT_")}
        # A handler, and not SIG_IGN, which the program would inherit.
        before = signal.signal(signal.SIGINT, lambda *_: None)
        try:
            return subprocess.call(line.argv, env=kept)
        except OSError as error:
            raise ToolMissing(f"{line.program}: {error.strerror}") from error
        finally:
            signal.signal(signal.SIGINT, before)

    def _run(
        self, command: BaseCommand, *, stdin: int = subprocess.PIPE
    ) -> tuple[int, str | bytes, str | bytes]:
        with ExitStack() as stack:
            with self._shield():
                process = command.popen(new_session=True, stdin=stdin)
                stack.callback(_end, process)
            status, stdout, stderr = run_proc(process, None)
        return status or 0, stdout, stderr

    def has(self, program: str) -> bool:
        """Say whether a program is installed."""
        try:
            self._find(program)
        except ToolMissing:
            return False
        return True

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


class Server:
    """A program that was started and runs by itself."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._said = b""

    @property
    def process_id(self) -> int:
        """Its number."""
        return self._process.pid

    def line(self, seconds: float) -> bytes:
        """Return the next line that it prints, its end included.

        Empty, or without an end, if it ends or says nothing for so long.
        """
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        deadline = time.monotonic() + seconds
        while b"\n" not in self._said:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([output], [], [], left)[0]:
                break
            more = os.read(output, _PIPE_BYTES)
            if not more:
                break
            self._said += more
        line, end, self._said = self._said.partition(b"\n")
        return line + end

    def wait(self, seconds: float) -> int | None:
        """Wait for its end; return its exit status, or None if it runs on."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it at once, and wait for that; nothing happens if it is over."""
        self._process.kill()
        self._process.wait()

    def let_go(self) -> None:
        """Close what connects it with us."""
        assert self._process.stdout is not None
        self._process.stdout.close()


def _end(process: "PopenWithAddons[str]") -> None:
    """End a program and all that it started, and wait for it; nothing if it is over.

    The wait after KILL has no limit: a program that the kernel holds, in the middle of
    writing to a disk, has not ended.
    """
    group = process.pid  # it leads the session that it was started in
    if group is None or process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
    deadline = time.monotonic() + _SECONDS_TO_END
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    process.wait()


def _withheld() -> dict[str, str]:
    """Blank our own settings: one may be a password, and no program needs them."""
    return {name: "" for name in local.env.getdict() if name.startswith("S3EXPORT_")}


@contextmanager
def _piped(secret: bytes) -> Iterator[int]:
    """Give the end of a pipe that holds a few bytes and nothing more.

    plumbum's ``<<`` would write them to a temporary file.
    """
    if len(secret) > _PIPE_BYTES:
        raise ValueError("too long for a pipe that nobody reads yet")
    read_end, write_end = os.pipe()
    try:
        try:
            os.write(write_end, secret)
        finally:
            os.close(write_end)
        yield read_end
    finally:
        os.close(read_end)


def _lines_that_say_something(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("dmesg(1) may have")]


def _text(output: str | bytes) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output
