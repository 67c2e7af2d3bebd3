"""One case in a process of its own, with little memory and time."""

import faulthandler
import os
import resource
import select
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final

CPU_SECONDS: Final = 5
WALL_SECONDS: Final = 60  # of a case that sleeps; the machine may be busy with others
MEMORY_BYTES: Final = 300 << 20
_TRACE_BYTES = 16_000  # a pipe takes more, so that nobody need read it meanwhile


@dataclass(frozen=True)
class Limits:
    """What a case may take.

    Attributes:
        cpu_seconds: Whole ones: the kernel counts no others.
        memory_bytes: Of address space, beyond what the process had before.
    """

    cpu_seconds: int = CPU_SECONDS
    wall_seconds: float = WALL_SECONDS
    memory_bytes: int = MEMORY_BYTES


def run_isolated(case: Callable[[], None], limits: Limits | None = None) -> str:
    """Run a case, and say what was wrong with it; empty where nothing was."""
    limits = limits or Limits()
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _run_and_exit(case, limits, os.fdopen(writing, "wb", buffering=0))
    os.close(writing)
    handle = os.pidfd_open(process)
    try:
        ended, _, _ = select.select([handle], [], [], limits.wall_seconds)
        if not ended:
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        with os.fdopen(reading, "rb") as pipe:
            trace = pipe.read().decode(errors="replace")
    finally:
        os.close(handle)
    if not ended:
        return f"it hangs\n{trace}"
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return f"it ends by {name}\n{trace}"
    code = os.WEXITSTATUS(status)
    return trace or f"it exits with {code}" if code else ""


def _run_and_exit(case: Callable[[], None], limits: Limits, out: BinaryIO) -> None:
    """Never return: this is the child."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - pathlib is slower
            pages = int(file.read().split()[0])
        most = pages * resource.getpagesize() + limits.memory_bytes
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        soft = limits.cpu_seconds
        resource.setrlimit(resource.RLIMIT_CPU, (soft, soft + 1))
        faulthandler.enable(out)
        faulthandler.register(signal.SIGXCPU, out, chain=True)
        case()
    except BaseException:
        out.write(traceback.format_exc()[-_TRACE_BYTES:].encode(errors="replace"))
        os._exit(1)
    os._exit(0)
