"""Reading an encrypted container: we in userspace, and dm-crypt in the kernel.

Both in one user-mode Linux, where cryptsetup is real and the machine the same; and we
alone outside, for the figure a core.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from fixtures.uml import UserModeLinux

from benchmarks import inside_containers
from benchmarks.loading import machine, with_section
from s3export.adapters.containers.system import encrypted
from s3export.domain.secret import Secret

RUNS = 5
_MIB = 1 << 20
_INSIDE = Path(inside_containers.__file__)

ABOUT = """\
A TrueCrypt container (AES), made by us, is opened and its plain content read, MiB by
MiB. In user-mode Linux both run in turn, with nothing in memory: `cryptsetup` and
dm-crypt, and our reader in userspace. Outside we run alone, out of the page cache.
"""


def main(*, quick: bool = False, page: Path | None = None) -> list[str]:
    """Run the case; print the table, write it to a page, and return its lines."""
    mib, runs = (16, 1) if quick else (1024, RUNS)
    with tempfile.TemporaryDirectory(prefix="s3export-bench-", dir="/var/tmp") as own:
        where = Path(own)
        container = _made(where, mib)
        ran = UserModeLinux(where).run(
            _INSIDE, "/dev/ubda", str(mib), str(runs), disks=(container,), timeout=1800
        )
        if ran.status:
            raise RuntimeError(f"user-mode Linux: {ran.stderr.strip()[-500:]}")
        took = json.loads(ran.stdout)
        inside_containers.by_us(str(container), mib)
        outside = [_outside(container, mib) for _ in range(runs)]
    lines = list(_rows(mib, took["us"], took["dm-crypt"], outside))
    print("\n".join(lines))
    if page:
        text = page.read_text() if page.exists() else ""
        section = "\n".join([f"{machine(Path('/var/tmp'))}.", "", *lines])
        page.write_text(with_section(text, section, "## Containers", ABOUT))
    return lines


def _made(where: Path, mib: int) -> Path:
    plain, container = where / "plain", where / "container"
    with plain.open("wb") as file:
        file.truncate(mib * _MIB)
    with container.open("wb") as file:
        for chunk in encrypted(plain, mib * _MIB, Secret(inside_containers.PASSWORD)):
            file.write(chunk)
    return container


def _outside(container: Path, mib: int) -> float:
    started = time.process_time()
    inside_containers.by_us(str(container), mib)
    return time.process_time() - started


def _rows(
    mib: int, us: Sequence[float], kernel: Sequence[float], outside: Sequence[float]
) -> Sequence[str]:
    ours, theirs = statistics.median(us), statistics.median(kernel)
    a_core = mib * _MIB / 1e6 / statistics.median(outside)
    met = ours <= theirs or a_core >= 150
    return [
        f"| open a container and read {mib:,} MiB of it | s | MB/s |",
        "|---|--:|--:|",
        f"| s3export in userspace, in user-mode Linux | {ours:.2f} "
        f"| {mib * _MIB / 1e6 / ours:,.0f} |",
        f"| cryptsetup and dm-crypt, in user-mode Linux | {theirs:.2f} "
        f"| {mib * _MIB / 1e6 / theirs:,.0f} |",
        f"| s3export in userspace, outside, a core | {statistics.median(outside):.2f} "
        f"| {a_core:,.0f} |",
        "",
        f"Ours takes {ours / theirs:.2f} times as long as dm-crypt in the same system. "
        f"The aim, not slower or 150 MB/s a core, is {'met' if met else 'MISSED'}.",
    ]
