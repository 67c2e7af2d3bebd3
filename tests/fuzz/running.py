"""Running cases by the thousand, and what is kept of those that found something."""

import json
import multiprocessing
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from fuzz.isolation import run_isolated
from fuzz.mutations import Edit, edited
from fuzz.targets import Target, holds

Corpora = Mapping[str, Mapping[str, bytes]]

_ENOUGH_ALIKE = 3


@dataclass(frozen=True)
class Case:
    """One way to change one base."""

    target: str
    base: str
    edits: tuple[Edit, ...]

    def run(self, targets: Mapping[str, Target], corpora: Corpora) -> str:
        """Run it, and say what was wrong; empty where nothing was."""
        target = targets[self.target]
        data = edited(corpora[self.target][self.base], self.edits)
        return run_isolated(lambda: holds(target, data))

    def document(self, trace: str) -> dict[str, Any]:
        """Return what is kept of it: small, since a base is made again."""
        return {
            "target": self.target,
            "base": self.base,
            "edits": [[at, removed, added.hex()] for at, removed, added in self.edits],
            "trace": trace.splitlines(),
        }


def case_from(document: Mapping[str, Any]) -> Case:
    """Read what was kept."""
    edits = [
        Edit(at, size, bytes.fromhex(added)) for at, size, added in document["edits"]
    ]
    return Case(document["target"], document["base"], tuple(edits))


def made(target: Target, corpora: Corpora, seed: int) -> Case:
    """Make the case of a number: always the same."""
    chance = Random(f"{target.name} {seed}")
    base = chance.choice(sorted(corpora[target.name]))
    edits = target.edits(base, corpora[target.name][base], chance)
    return Case(target.name, base, tuple(edits))


def smallest(case: Case, targets: Mapping[str, Target], corpora: Corpora) -> Case:
    """Leave out edits that are not needed to find the same."""
    wanted = signature(case.run(targets, corpora))
    for edit in case.edits:
        fewer = Case(case.target, case.base, tuple(e for e in case.edits if e != edit))
        if signature(fewer.run(targets, corpora)) == wanted:
            case = fewer
    return case


def signature(trace: str) -> str:
    """Return what two traces of the same defect have in common."""
    lines = [line for line in trace.splitlines() if line.strip()]
    if not lines:
        return ""
    places = re.findall(r'File ".*?([^/"]+)",? line (\d+)', trace)
    first = lines[0] if lines[0].startswith("it ") else lines[-1]
    return f"{re.sub(r'[0-9]+', 'N', first)[:80]} at {places[-1:]}"


@dataclass
class Totals:
    """What was run, and what was found."""

    cases: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, other: "Totals") -> None:
        """Take in what another worker did."""
        self.cases += other.cases
        self.findings += other.findings
        for name, spent in other.seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + spent


def run_worker(
    targets: Sequence[Target],
    corpora: Corpora,
    seeds: range,
    deadline: float,
    folder: Path,
) -> Totals:
    """Run cases until the time is over; each target gets as much of it."""
    totals = Totals()
    by_name = {target.name: target for target in targets}
    for target in targets:
        totals.seconds[target.name] = 0
    numbers = {target.name: iter(seeds) for target in targets}
    alike: Counter[str] = Counter()
    while (started := time.monotonic()) < deadline:
        target = min(targets, key=lambda each: totals.seconds[each.name])
        seed = next(numbers[target.name])
        case = made(target, corpora, seed)
        trace = case.run(by_name, corpora)
        totals.cases[target.name] += 1
        if trace:
            totals.findings[target.name] += 1
            alike[signature(trace)] += 1
            if alike[signature(trace)] <= _ENOUGH_ALIKE:
                case = smallest(case, by_name, corpora)
                keep(case, trace, folder / f"{target.name}-{seed}.json")
        totals.seconds[target.name] += time.monotonic() - started
    return totals


def keep(case: Case, trace: str, path: Path) -> None:
    """Write a case down."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(case.document(trace), indent=1))


def run_workers(
    targets: Sequence[Target],
    corpora: Corpora,
    *,
    seed: int,
    seconds: float,
    workers: int,
    folder: Path,
) -> Totals:
    """Run several workers at once, with cases of their own."""
    deadline = time.monotonic() + seconds
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()

    def work(number: int) -> None:
        seeds = range(seed + number, 1 << 62, workers)
        answers.put(run_worker(targets, corpora, seeds, deadline, folder))

    processes = [context.Process(target=work, args=(n,)) for n in range(workers)]
    for process in processes:
        process.start()
    totals = Totals()
    for _ in processes:
        totals.add(answers.get())
    for process in processes:
        process.join()
    return totals
