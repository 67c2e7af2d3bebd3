"""What findings amount to: assertions, counts, verdicts, statements, profiles."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from samples import disk_facts

from s3export.domain.backup_layout import BackupLayout, Source, TreePath
from s3export.domain.confidence import Bound, upper_bound
from s3export.domain.verification import (
    Assertions,
    Completeness,
    EarlierRun,
    Finding,
    Outcome,
    Profile,
    Sample,
    Selection,
    Tally,
    Verdict,
    completeness_statement,
    selections,
    statement,
)


@pytest.mark.parametrize(
    ("outcome", "key", "run", "succeeded", "critical"),
    [
        (Outcome.MATCH, "k", 2, 2, False),
        (Outcome.MISMATCH, "k", 2, 1, True),
        (Outcome.CHANGED_SINCE_EXPORT, "k", 2, 1, False),
        (Outcome.MISSING_FROM_SOURCE, "k", 1, 0, False),
        (Outcome.MISSING_FROM_BACKUP, "k", 1, 0, True),
        (Outcome.UNVERIFIABLE, "k", 1, 1, False),
        (Outcome.UNREADABLE, "k", 2, 1, True),
        (Outcome.UNREADABLE, "", 1, 0, True),
    ],
)
def test_each_outcome_answers_the_originals_two_questions(
    outcome: Outcome, key: str, run: int, succeeded: int, critical: bool
) -> None:
    """S3 has the file; the hashes are equal, asked only where it can be."""
    finding = Finding(TreePath(b"p"), outcome, "b", key)

    assert finding.assertions() == Assertions(run, succeeded)
    assert finding.assertions().failed == run - succeeded
    assert finding.critical is critical


def tally(**counts: int) -> Tally:
    """Return a tally of so many findings of each outcome."""
    return Tally(
        Finding(TreePath(b"p"), Outcome(outcome), "b", "k")
        for outcome, count in counts.items()
        for _ in range(count)
    )


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ({}, Verdict.INCONCLUSIVE),
        ({"match": 1}, Verdict.VERIFIED),
        ({"match": 1, "missing_from_source": 3}, Verdict.VERIFIED),
        ({"match": 1, "changed_since_export": 3}, Verdict.VERIFIED),
        ({"missing_from_source": 1}, Verdict.INCONCLUSIVE),
        ({"changed_since_export": 1}, Verdict.INCONCLUSIVE),
        ({"match": 9, "unverifiable": 1}, Verdict.INCONCLUSIVE),
        ({"match": 9, "unverifiable": 1, "mismatch": 1}, Verdict.DIFFERS),
        ({"match": 9, "missing_from_backup": 1}, Verdict.DIFFERS),
        ({"unreadable": 1}, Verdict.DIFFERS),
    ],
)
def test_the_worst_finding_decides(counts: dict[str, int], verdict: Verdict) -> None:
    """Critical before unverifiable before all else; nothing equal verifies nothing."""
    counted = tally(**counts)

    assert counted.verdict() is verdict
    assert counted.total == sum(counts.values())
    assert {o.value: counted[o] for o in Outcome if counted[o]} == counts


FILE = TreePath(b"b/file")


def test_a_profile_counts_sizes_by_powers_of_two_and_times_by_years() -> None:
    """The year begins within a day of New Year; times before 1970 are times."""
    profile = Profile()
    middle = {
        year: int(datetime(year, 7, 1, tzinfo=UTC).timestamp()) * 10**9
        for year in (1931, 1969, 1970, 1971, 2000, 2024, 2099)
    }

    for size in (0, 1, 2, 3, 4, 1023, 1024, 1024):
        profile.add(FILE, size, middle[2024])
    for moment in middle.values():
        profile.add(FILE, 0, moment)
    late = datetime(2023, 12, 30, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
    for day in late:
        profile.add(FILE, 0, int(day.timestamp()) * 10**9)

    assert profile.sizes == {0: 10, 1: 1, 2: 2, 3: 1, 10: 1, 11: 2}
    assert profile.size_bytes == 0 + 1 + 2 + 3 + 4 + 1023 + 1024 + 1024
    assert profile.years == {
        1931: 1, 1969: 1, 1970: 1, 1971: 1, 2000: 1, 2023: 1, 2024: 10, 2099: 1,
    }  # fmt: skip


SAMPLE = Sample("s", 100, drawn=100, compared=100, population=123_456)
BOUND = upper_bound(123_456, 100, 0, 0.95)


@pytest.mark.parametrize(
    ("sample", "counts", "bound", "extra", "said"),
    [
        (
            SAMPLE, {"match": 100}, BOUND, 0,
            "100 of 123,456 files checked, 0 differ: with 95% confidence at most "
            "3,642 files (2.95%) differ.",
        ),
        (
            SAMPLE, {"match": 98, "mismatch": 2}, Bound(0.99, 9, 0.07), 0,
            "100 of 123,456 files checked, 98 equal S3 and 2 do not: with 99% "
            "confidence at most 9 files (7.00%) do not equal S3.",
        ),
        (
            SAMPLE, {"match": 98, "unverifiable": 2}, Bound(0.95, 9, 0.07), 0,
            "100 of 123,456 files checked, 98 equal S3 and 2 do not or could not be "
            "compared: with 95% confidence at most 9 files (7.00%) do not equal S3 or "
            "could not be compared.",
        ),
        (
            SAMPLE, {"match": 100}, BOUND, 1,
            "100 of 123,456 files checked, 0 differ: with 95% confidence at most "
            "3,642 files of those that S3 lists (2.95%) differ.",
        ),
        (
            replace(SAMPLE, compared=60), {"match": 59, "mismatch": 1},
            Bound(0.95, 9, 0.07), 0,
            "60 of 100 drawn files checked, of 123,456 in all; 59 equal S3, and those "
            "not checked count as different: with 95% confidence at most 9 files "
            "(7.00%) do not equal S3.",
        ),
        (
            Sample("s", None, drawn=5, compared=5, population=5),
            {"match": 5}, BOUND, 0,
            "5 of 5 files checked, 0 differ: every file that is listed on the disk was "
            "looked at.",
        ),
        (
            Sample("s", 9, drawn=1, compared=1, population=1), {"match": 1}, BOUND, 0,
            "1 of 1 file checked, 0 differ: every file that is listed on the disk was "
            "looked at.",
        ),
        (
            SAMPLE, {"match": 100}, Bound(0.95, 1, 0.0001), 0,
            "100 of 123,456 files checked, 0 differ: with 95% confidence at most "
            "1 file (0.01%) differs.",
        ),
        (
            SAMPLE, {"match": 99, "mismatch": 1}, Bound(0.95, 1, 0.0001), 0,
            "100 of 123,456 files checked, 99 equal S3 and 1 does not: with 95% "
            "confidence at most 1 file (0.01%) does not equal S3.",
        ),
        (
            Sample("s", 9, drawn=0, compared=0, population=0), {}, BOUND, 0,
            "The backup holds no files: nothing was verified.",
        ),
        (
            SAMPLE, {"missing_from_source": 100}, Bound(0.95, 0, 0.0), 123_456,
            "100 of 123,456 files checked, 0 equal S3 and 100 do not: S3 lists none of "
            "the files that are on the disk.",
        ),
        (
            SAMPLE, {"match": 7}, None, 0,
            "7 files equal S3; the disk was not listed to its end, so nothing is "
            "proven about the others.",
        ),
    ],
)  # fmt: skip
def test_a_statement_says_what_the_numbers_prove(
    sample: Sample, counts: dict[str, int], bound: Bound | None, extra: int, said: str
) -> None:
    """Word by word: it is what an operator acts on."""
    assert statement(sample, tally(**counts), bound, extra) == said


def test_one_object_is_not_all_objects() -> None:
    """A selection of one is said to be one."""
    assert completeness_statement(Completeness(1, 0)) == (
        "The one object of the selection was looked for: none is missing."
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Completeness(5, 0), "none is missing."),
        (Completeness(5, 0, missing=1), "1 is missing."),
        (
            Completeness(5, 0, missing=2, newer=1, extra=1),
            "2 are missing, 1 is newer than the export and not on the disk, 1 file is "
            "not in S3.",
        ),
        (
            Completeness(5, 0, newer=3, folders=9, extra=2),
            "none is missing, 3 are newer than the export and not on the disk, 2 files "
            "are not in S3.",
        ),
    ],
)
def test_completeness_is_said_in_numbers(found: Completeness, said: str) -> None:
    """What is zero is not said, but for what is missing."""
    listed = "All 5 objects of the selection were looked for"

    assert completeness_statement(found) == f"{listed}: {said}"


LAYOUT = BackupLayout(
    (Source("b1", TreePath(b"x"), "p/", "m", "n"), Source("b2", TreePath(b"x"))),
    TreePath(b"R"),
)
EARLIER = EarlierRun(
    seed="s",
    requested=None,
    device_path="/dev/sdz",
    serial="S3R1AL",
    size_bytes=1 << 30,
    root="/x",
    strong=False,
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    selections=selections(LAYOUT.sources),
    verified=frozenset(),
)


def test_the_same_disk_and_selection_may_be_gone_on_with() -> None:
    """Whatever path it has today, where it has a serial."""
    moved = replace(disk_facts(), path="/dev/sda")

    assert EARLIER.refusals("s", moved, LAYOUT, strong=False) == ()
    strict = replace(EARLIER, strong=True)
    for strong in (True, False):
        assert strict.refusals("s", moved, LAYOUT, strong=strong) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": "t"}, "the seed was t, and is s now"),
        ({"serial": "X"}, "the disk was X, and is S3R1AL now"),
        ({"serial": "", "device_path": "/d"}, "the disk was /d, and is /dev/sdz now"),
        ({"size_bytes": 5}, "the disk's size was 5, and is 1073741824 now"),
        ({"root": "/y"}, "the directory was /y, and is /x now"),
        ({"service": "aws"}, "the S3 service was aws, and is not known now"),
        (
            {"selections": (Selection("b3", "q", directory="d"),)},
            "what is exported was s3://b3/q in /d, and is s3://b1/p/ after m up to n "
            "in /x, s3://b2/ in /x now",
        ),
    ],
)
def test_what_differs_is_named_with_both_values(
    change: dict[str, object], said: str
) -> None:
    """One refusal for each thing."""
    other = replace(EARLIER, **change)  # type: ignore[arg-type]

    assert other.refusals("s", disk_facts(), LAYOUT, strong=False) == (said,)
    weaker = "it took weaker evidence for proof"
    assert other.refusals("s", disk_facts(), LAYOUT, strong=True) == (said, weaker)
