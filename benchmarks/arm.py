"""What a disk that spins would take for the same requests.

The kernel tells which blocks a device was asked for, in order; a simple model of a disk
of 7,200 rpm says how long its arm moves for them: seconds to compare with each other,
not those of any disk that is for sale.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path

_TRACING = Path("/sys/kernel/tracing")
_ISSUED = re.compile(r"block_rq_issue: \S+ R\S* \d+ \(.*?\) (\d+) \+ (\d+) ")
_SECTOR = 512
_BYTES_A_SECOND = 150e6
_NEAR_BYTES = 256 << 10  # forward: it waits for these to pass by
_HALF_A_TURN = 0.00417
_SHORTEST_SEEK = 0.001
_LONGEST_SEEK = 0.016  # over the whole device


@dataclass
class Moves:
    """How an arm moved.

    Attributes:
        requests: To read; of any length.
        seeks: Those that lie elsewhere than the last one ended.
        seconds: That all took on the model of a disk.
    """

    requests: int = 0
    seeks: int = 0
    seconds: float = 0.0
    _at: int = field(default=0, repr=False)

    def read(self, start: int, length: int, disk_bytes: int) -> None:
        """Move to some bytes and read them."""
        gap = start - self._at
        if 0 <= gap <= _NEAR_BYTES:
            self.seconds += gap / _BYTES_A_SECOND
        else:
            self.seeks += 1
            self.seconds += _HALF_A_TURN + _SHORTEST_SEEK
            self.seconds += (_LONGEST_SEEK - _SHORTEST_SEEK) * sqrt(
                min(1.0, abs(gap) / disk_bytes)
            )
        self.requests += 1
        self.seconds += length / _BYTES_A_SECOND
        self._at = start + length


@contextmanager
def watched(device: str, disk_bytes: int) -> Iterator[Moves]:
    """Watch a device; what it was asked is known afterwards.

    Without the kernel's tracing (tracefs) nothing is: all numbers stay 0.
    """
    moves = Moves()
    mounted = _mount()
    place = _TRACING / "instances" / f"s3export-bench-{os.getpid()}"
    event = place / "events/block/block_rq_issue"
    try:
        place.mkdir()
    except OSError:
        yield moves
        return
    try:
        number = os.stat(device).st_rdev  # noqa: PTH116
        kernels = os.major(number) << 20 | os.minor(number)
        (place / "buffer_size_kb").write_text("32768")
        (event / "filter").write_text(f"dev == {kernels}")
        (event / "enable").write_text("1")
        yield moves
        (event / "enable").write_text("0")
        for line in (place / "trace").read_text(errors="replace").splitlines():
            found = _ISSUED.search(line)
            if found:
                start, length = (int(number) * _SECTOR for number in found.groups())
                moves.read(start, length, disk_bytes)
    finally:
        (event / "enable").write_text("0")
        place.rmdir()
        if mounted:
            subprocess.run(["umount", _TRACING], check=True)


def _mount() -> bool:
    """Mount tracefs, if it is not; say whether it is ours to unmount."""
    if (_TRACING / "instances").exists():
        return False
    line = ["mount", "-t", "tracefs", "nodev", str(_TRACING)]
    return subprocess.run(line, capture_output=True).returncode == 0
