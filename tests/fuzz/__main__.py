"""Give mutated bytes to all that reads what others made; exit 1 on any finding.

A finding is a crash of the interpreter, an error that is not s3export's own, more than
5 seconds of processor time or 300 MB of memory, or a byte read outside the source.
"""

import argparse
import json
import random
import sys
from pathlib import Path

from fuzz import trees
from fuzz.documents import (
    ChecksumReports,
    ExportLogs,
    PartitionTables,
    PastRuns,
    Reports,
    Selections,
)
from fuzz.manifests import Manifests
from fuzz.running import Corpora, Totals, case_from, run_workers
from fuzz.targets import Target, corpora
from fuzz.trees import ExtTrees, NtfsTrees
from fuzz.volumes import Headers, Volumes

TARGETS: tuple[Target, ...] = (
    Headers(),
    Volumes(),
    ExtTrees(),
    NtfsTrees(),
    PartitionTables(),
    ExportLogs(),
    Selections(),
    ChecksumReports(),
    Reports(),
    PastRuns(),
    Manifests(),
)


def main() -> int:
    """Run what the arguments ask for."""
    names = [target.name for target in TARGETS]
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--target", choices=names, action="append", metavar="NAME",
                        help=f"only this: {', '.join(names)}")  # fmt: skip
    parser.add_argument("--seed", type=int, help="the number of the first case")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"),
                        help="the folder to write found cases to")  # fmt: skip
    parser.add_argument("cases", type=Path, nargs="*", metavar="CASE.json",
                        help="found cases to run, instead of new ones")  # fmt: skip
    arguments = parser.parse_args()
    if trees.lacking():
        print(f"fuzz: not installed: {trees.lacking()}", file=sys.stderr)
        return 2
    wanted = [t for t in TARGETS if t.name in (arguments.target or names)]
    found = corpora(wanted)
    if arguments.cases:
        return run_again(arguments.cases, wanted, found)
    seed = arguments.seed
    if seed is None:
        seed = random.SystemRandom().getrandbits(40)
    print(f"the first case is number {seed}", flush=True)
    totals = run_workers(
        wanted, found, seed=seed, seconds=arguments.seconds,
        workers=arguments.workers, folder=arguments.findings,
    )  # fmt: skip
    show(totals, arguments.seconds)
    if totals.findings:
        print(f"they are in {arguments.findings}")
    return 1 if totals.findings else 0


def run_again(paths: list[Path], targets: list[Target], found: Corpora) -> int:
    """Run cases that were found before."""
    by_name = {target.name: target for target in targets}
    traces = []
    for path in paths:
        trace = case_from(json.loads(path.read_text())).run(by_name, found)
        print(f"{path}: {trace or 'nothing is wrong'}")
        traces.append(trace)
    return 1 if any(traces) else 0


def show(totals: Totals, seconds: float) -> None:
    """Print a table."""
    print("| target | cases | a second | findings |\n|---|---|---|---|")
    for name, spent in totals.seconds.items():
        count = totals.cases[name]
        rate = count / spent if spent else 0
        print(f"| {name} | {count:,} | {rate:.0f} | {totals.findings[name]} |")
    count, failed = totals.cases.total(), totals.findings.total()
    print(f"| all | {count:,} | {count / seconds:.0f} | {failed} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
