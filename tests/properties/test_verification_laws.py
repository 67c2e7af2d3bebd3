"""Laws of what findings amount to, and of what is said of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from contracts.report_writer_contract import report_of
from hypothesis import given
from hypothesis import strategies as st
from samples import disk_facts
from strategies import SETTINGS

from s3export.domain.backup_layout import BackupLayout, Source, TreePath
from s3export.domain.confidence import Bound, upper_bound
from s3export.domain.errors import FileRefused
from s3export.domain.verification import (
    SAYS_DISK,
    SAYS_LOG,
    SAYS_OPERATOR,
    Assertions,
    Completeness,
    EarlierRun,
    ExportTime,
    Finding,
    Outcome,
    Profile,
    ReportNotWritten,
    Sample,
    Tally,
    Verdict,
    completeness_statement,
    selections,
    statement,
)

outcomes = st.lists(st.sampled_from(Outcome), max_size=8)


def found(outcome: Outcome, key: str = "k") -> Finding:
    """Return a finding."""
    return Finding(TreePath(b"p"), outcome, bucket="b", key=key)


def tally(*told: Outcome) -> Tally:
    """Return the tally of such findings."""
    return Tally(map(found, told))


@pytest.mark.parametrize(
    ("outcome", "key", "critical", "run", "succeeded"),
    [
        (Outcome.MATCH, "k", False, 2, 2),
        (Outcome.MISMATCH, "k", True, 2, 1),
        (Outcome.CHANGED_SINCE_EXPORT, "k", False, 2, 1),
        (Outcome.MISSING_FROM_SOURCE, "", False, 1, 0),
        (Outcome.MISSING_FROM_BACKUP, "k", True, 1, 0),
        (Outcome.UNVERIFIABLE, "k", False, 1, 1),
        (Outcome.UNREADABLE, "k", True, 2, 1),
        (Outcome.UNREADABLE, "", True, 1, 0),
    ],
)
def test_each_outcome_answers_the_original_programs_questions(
    outcome: Outcome, key: str, critical: bool, run: int, succeeded: int
) -> None:
    """Is it in S3, and equal to it? Some answers mean that the backup differs."""
    one = found(outcome, key)

    assert one.critical is outcome.critical is critical
    assert one.assertions() == Assertions(run, succeeded)
    assert one.assertions().failed == run - succeeded


@given(outcomes, outcomes)
@SETTINGS
def test_a_tally_adds_up(some: list[Outcome], more: list[Outcome]) -> None:
    """However it came about: all at once, or one after the other."""
    grown = tally(*some)
    for one in more:
        grown.add(found(one))

    whole = tally(*some, *more)
    answers = [found(one).assertions() for one in (*some, *more)]
    assert grown.counts == whole.counts
    assert grown.total == len(some) + len(more)
    for outcome in Outcome:
        assert grown[outcome] == (some + more).count(outcome)
    assert grown.assertions == whole.assertions
    assert grown.assertions.run == sum(one.run for one in answers)
    assert grown.assertions.succeeded == sum(one.succeeded for one in answers)


@given(outcomes)
@SETTINGS
def test_the_verdict_is_the_worst_of_the_findings(told: list[Outcome]) -> None:
    """One critical finding decides; without a match nothing is verified."""
    verdict = tally(*told).verdict()

    if any(outcome.critical for outcome in told):
        assert verdict is Verdict.DIFFERS
    elif Outcome.UNVERIFIABLE in told or Outcome.MATCH not in told:
        assert verdict is Verdict.INCONCLUSIVE
    else:
        assert verdict is Verdict.VERIFIED


@given(outcomes, st.sampled_from(["", "why"]), st.sampled_from([(), ("a doubt",)]))
@SETTINGS
def test_what_was_cut_short_or_is_doubtful_is_not_verified(
    told: list[Outcome], cut_short: str, doubts: tuple[str, ...]
) -> None:
    """What was found to differ still differs."""
    report = replace(report_of(*map(found, told)), cut_short=cut_short, doubts=doubts)
    verdict = tally(*told).verdict()

    if verdict is Verdict.VERIFIED and (cut_short or doubts):
        assert report.verdict is Verdict.INCONCLUSIVE
    else:
        assert report.verdict is verdict


# --- what is said ---------------------------------------------------------------

EQUAL = Outcome.MATCH


@pytest.mark.parametrize(
    ("counts", "told", "said"),
    [
        ((0, 0, 0), [], "The backup holds no files: nothing was verified."),
        (
            (3, 3, 3),
            [EQUAL] * 3,
            "3 of 3 files checked, 0 differ: "
            "every file that is listed on the disk was looked at.",
        ),
        (
            (3, 3, 3),
            [EQUAL, EQUAL, Outcome.MISMATCH],
            "3 of 3 files checked, 2 equal S3 and 1 does not: "
            "every file that is listed on the disk was looked at.",
        ),
        (
            (100, 100, 123_456),
            [EQUAL] * 100,
            "100 of 123,456 files checked, 0 differ: "
            "with 95% confidence at most 3,642 files (2.95%) differ.",
        ),
        (
            (1100, 1100, 123_456),
            [EQUAL] * 1099 + [Outcome.MISMATCH],
            "1,100 of 123,456 files checked, 1,099 equal S3 and 1 does not: "
            "with 95% confidence at most 529 files (0.43%) do not equal S3.",
        ),
        (
            (5, 5, 10),
            [EQUAL] * 3 + [Outcome.MISMATCH, Outcome.UNVERIFIABLE],
            "5 of 10 files checked, 3 equal S3 and 2 do not or could not be "
            "compared: with 95% confidence at most 7 files (70.00%) do not equal S3 "
            "or could not be compared.",
        ),
        (
            (1008, 1006, 20_000),
            [EQUAL] * 1006,
            "1,006 of 1,008 drawn files checked, of 20,000 in all; 1,006 equal S3, "
            "and those not checked count as different: "
            "with 95% confidence at most 122 files (0.61%) differ.",
        ),
    ],
)
def test_a_statement_says_what_a_sample_proves(
    counts: tuple[int, int, int], told: Sequence[Outcome], said: str
) -> None:
    """What was looked at, what was found, and the bound on all files."""
    drawn, compared, population = counts
    counted = tally(*told)
    bound = upper_bound(population, drawn, drawn - counted[EQUAL], 0.95)
    sample = Sample("seed", drawn or None, drawn, compared, population)

    assert statement(sample, counted, bound) == said


def test_the_known_extra_files_are_not_spoken_of() -> None:
    """The confidence has as many digits as it was given."""
    sample = Sample("seed", 5, 5, 5, 4000)

    said = statement(sample, tally(*[EQUAL] * 5), Bound(0.9995, 1234, 0.3085), 1)

    assert said.endswith(
        "with 99.95% confidence at most 1,234 files of those that S3 lists "
        "(30.85%) differ."
    )


def test_a_disk_that_was_not_listed_to_its_end_proves_nothing_more() -> None:
    """Without all names there is no sample."""
    sample = Sample("seed", 5, 0, 1200, 0)

    assert statement(sample, tally(*[EQUAL] * 1200, Outcome.MISMATCH), None) == (
        "1,200 files equal S3; the disk was not listed to its end, so nothing is "
        "proven about the others."
    )


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((0, 0, 0), "none is missing"),
        ((1, 0, 0), "1 is missing"),
        ((2000, 0, 0), "2,000 are missing"),
        (
            (0, 1, 1),
            "none is missing, 1 is newer than the export and not on the disk, "
            "1 file is not in S3",
        ),
        (
            (3, 2, 4),
            "3 are missing, 2 are newer than the export and not on the disk, "
            "4 files are not in S3",
        ),
    ],
)
def test_a_listing_is_summed_up(counts: tuple[int, int, int], said: str) -> None:
    """What is missing is always told; the rest where there is any."""
    missing, newer, extra = counts
    listed = Completeness(
        objects=12_345, size_bytes=1, missing=missing, newer=newer, extra=extra
    )

    summed_up = completeness_statement(listed)

    assert summed_up == (
        f"All 12,345 objects of the selection were looked for: {said}."
    )
    report = replace(
        report_of(found(EQUAL)),
        completeness=listed,
        sample=Sample("seed", 1, 1, 1, 9),
    )
    alone = replace(report, completeness=None)
    assert report.statement.endswith(f". {summed_up}")
    assert summed_up not in alone.statement
    assert ("those that S3 lists" in report.statement) is bool(extra)
    assert "those that S3 lists" not in alone.statement


def test_the_operators_word_on_the_exports_time_is_certain() -> None:
    """The log's and the disk's are not."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    assert ExportTime(moment, SAYS_OPERATOR).is_certain
    assert not ExportTime(moment, SAYS_LOG).is_certain
    assert not ExportTime(moment, SAYS_DISK).is_certain


def test_a_report_that_cannot_be_written_is_not_lost() -> None:
    """The error has it, and says of every file why."""
    report = report_of()

    lost = ReportNotWritten(report, [FileRefused("a: full"), FileRefused("b: gone")])

    assert lost.report is report
    assert lost.message == "a: full; b: gone"
    assert "--report" in lost.next_step


@given(st.lists(st.integers(0, 1 << 50), max_size=9), st.integers(1971, 2200))
@SETTINGS
def test_a_profile_counts_files_by_size_and_year(sizes: list[int], year: int) -> None:
    """A size counts where it lies between two powers of two."""
    profile = Profile()
    for number, size in enumerate(sizes):
        moment = datetime(year, 1, 3) if number % 2 else datetime(year, 12, 29)
        since = moment - datetime(1970, 1, 1)
        profile.add(TreePath(b"f"), size, (since.days * 86_400) * 10**9)

    assert profile.size_bytes == sum(sizes)
    assert profile.years == ({year: len(sizes)} if sizes else {})
    for bits, count in profile.sizes.items():
        least, most = (1 << bits) // 2, (1 << bits) - 1
        assert count == sum(least <= size <= most for size in sizes)
    assert profile.sizes.total() == len(sizes)


# --- going on from an earlier run -----------------------------------------------

SOURCES = (
    Source("b", TreePath(b"dir"), "p/", "p/a", "p/z"),
    Source("c", TreePath(b"dir")),
)
LAYOUT = BackupLayout(SOURCES, TreePath(b"EXPORT-RECOVERY"))
EARLIER = EarlierRun(
    seed="s",
    requested=5,
    device_path="/dev/sdz",
    serial="S3R1AL",
    size_bytes=1 << 30,
    root="/dir",
    strong=False,
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    selections=selections(SOURCES),
    verified=frozenset(),
)


def test_the_same_verification_can_go_on() -> None:
    """A disk is known by its serial number, by its path where it has none."""
    facts, moved = disk_facts(), disk_facts("/dev/sdy")
    unnamed = replace(EARLIER, serial="")

    assert EARLIER.refusals("s", facts, LAYOUT, strong=False) == ()
    assert EARLIER.refusals("s", moved, LAYOUT, strong=False) == ()
    assert unnamed.refusals("s", facts, LAYOUT, strong=False) == ()
    assert unnamed.refusals("s", moved, LAYOUT, strong=False) == (
        "the disk was /dev/sdz, and is /dev/sdy now",
    )
    strict = replace(EARLIER, strong=True)
    for strong in (True, False):
        assert strict.refusals("s", facts, LAYOUT, strong=strong) == ()


def test_every_difference_from_the_earlier_run_is_told() -> None:
    """All at once, with what it was and what it is."""
    facts = replace(disk_facts(size_bytes=7), serial="OTHER")
    layout = BackupLayout((Source("d", TreePath(b"x"), "q/"),), TreePath(b"R"))

    assert EARLIER.refusals("t", facts, layout, strong=True) == (
        "the seed was s, and is t now",
        "the disk was S3R1AL, and is OTHER now",
        "the disk's size was 1073741824, and is 7 now",
        "the directory was /dir, and is /x now",
        "what is exported was s3://b/p/ after p/a up to p/z in /dir, "
        "s3://c/ in /dir, and is s3://d/q/ in /x now",
        "it took weaker evidence for proof",
    )
