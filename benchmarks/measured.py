"""Run a command and tell what it took; then sync the file system of its target.

A small process of its own, since Linux counts the memory of whoever starts a process to
that process's peak. Prints a JSON object.
"""

import json
import os
import sys
import time

target, errors, *command = sys.argv[1:]


def took(line: list[str]) -> tuple[int, float, int]:
    """Run it; return its exit code, CPU seconds and peak memory in KiB."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
    ]
    child = os.posix_spawnp(line[0], line, os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


started = time.perf_counter()
code, cpu, peak = took(command)
_, sync_cpu, _ = took(["sync", "-f", target])
print(
    json.dumps(
        {
            "code": code,
            "wall": time.perf_counter() - started,
            "cpu": cpu + sync_cpu,
            "peak_kib": peak,
        }
    )
)
