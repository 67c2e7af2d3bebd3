"""A report with findings of every kind, over a disk with many folders."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime

from samples import disk_facts

from s3export.domain.backup_layout import Source, TreePath
from s3export.domain.confidence import upper_bound
from s3export.domain.evidence import ETAG_MD5, ETAG_MULTIPART, NONE
from s3export.domain.verification import (
    Finding,
    Outcome,
    Profile,
    Report,
    Sample,
    Tally,
)

EVIDENCE = (ETAG_MD5, ETAG_MULTIPART, NONE)
YEAR_NS = 31_556_952 * 10**9


def findings(count: int) -> Iterator[Finding]:
    """Yield findings of every kind, most of them in one folder."""
    outcomes = [o for o in Outcome if o is not Outcome.MATCH]
    for number in range(count):
        outcome = outcomes[number % len(outcomes)]
        if number % 3 == 0:
            outcome = Outcome.UNREADABLE
        path = b"bkt/photos/2011/%06d/" % (number // 40) + b"x" * (number % 90)
        yield Finding(
            TreePath(path + b"%d.jpg" % number),
            outcome,
            bucket="bkt",
            key=f"photos/{number}\u202e.jpg",
            evidence=EVIDENCE[number // 2 % 3],
            expected="d41d8cd98f00b204e9800998ecf8427e" if number % 2 else "",
            actual="0cc175b9c0f1b6a831c399e269772661-17" if number % 2 else "",
            detail="Input/output error" if outcome is Outcome.UNREADABLE else "",
        )


def report(count: int) -> Report:
    """Return a report with so many findings, over a disk with many folders."""
    chance = random.Random(count)
    everything, drawn, tally = Profile(), Profile(), Tally()
    for number in range(3000):
        path = TreePath(b"bkt/folder %02d/%d" % (number % 40, number))
        size = int(2 ** chance.uniform(0, 34))
        written = int(chance.uniform(30, 56) * YEAR_NS)
        everything.add(path, size, written)
        if number % 30 == 0:
            drawn.add(path, size, written)
            tally.add(Finding(path, Outcome.MATCH, "bkt", "k", evidence=EVIDENCE[0]))
    found = tuple(findings(count))
    for finding in found:
        tally.add(finding)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Report(
        device=disk_facts(),
        opened_read_only=True,
        container=None,
        root=TreePath(b"bkt"),
        sources=(Source("bkt", TreePath(b"bkt")),),
        sample=Sample("seed", 100, 100, 100, 3000),
        tally=tally,
        bound=upper_bound(3000, 100, 0, 0.95),
        findings=found,
        requests={"HEAD": 100, "LIST": 3, "GET": 0},
        bytes_read=12345678901,
        bytes_downloaded=0,
        started_at=moment,
        finished_at=moment,
        version="1",
        completeness=None,
        population_profile=everything,
        drawn_profile=drawn,
        warnings=("a warning that is true",) if count else (),
    )
