"""The history of a backup never says more than its runs do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from s3export.domain.combined_confidence import Draw
from s3export.domain.confidence import Bound, upper_bound
from s3export.domain.history import (
    Backup,
    Content,
    ContentHistory,
    PastRun,
    history,
)
from s3export.domain.verification import Selection, Verdict
from s3export.entrypoints.cli.exit_codes import ExitCode, of_history
from s3export.entrypoints.cli.history_wording import history_lines

DISK = Backup("WD-1", 10**12, "", "/my-bucket", (Selection("my-bucket"),), False)
FILES = Content(10_000, 10**9)
FIRST = datetime(2026, 1, 4, tzinfo=UTC)


def run(week: int, seed: str = "", drawn: int = 100, **changes: Any) -> PastRun:
    """A run in which all was right, but for the changes."""
    made = PastRun(
        report=f"{week}.json",
        backup=DISK,
        content=FILES,
        started_at=FIRST + timedelta(weeks=week),
        seed=seed or f"seed{week}",
        drawn=drawn,
        compared=drawn,
        matched=drawn,
        verdict=Verdict.VERIFIED,
        bound=upper_bound(10_000, drawn, 0, 0.95),
    )
    return replace(made, **changes)


DIFFERENT: dict[str, Any] = {
    "verdict": Verdict.DIFFERS,
    "differences": 1,
    "matched": 99,
}


def one(*runs: PastRun, since: datetime | None = None) -> ContentHistory:
    """Return the history of one content."""
    (only,) = history(runs, 0.95, since)
    return only


def files(part: ContentHistory) -> int:
    """Return the bound."""
    assert part.bound is not None
    return part.bound.files


def test_runs_with_other_seeds_prove_more_together() -> None:
    """And less than one run that drew as many, which draws no file twice."""
    alone, both = files(one(run(0))), files(one(run(0), run(1)))

    assert upper_bound(10_000, 200, 0, 0.95).files <= both < alone


def test_what_was_taken_over_says_nothing_of_the_later_time() -> None:
    """The statement tells both: what held at both times, and what was looked at."""
    part = one(run(0, drawn=1000, taken_over=900))

    assert part.bound == upper_bound(10_000, 1000, 0, 0.95)
    anew = upper_bound(10_000, 100, 0, 0.95)
    assert "900 of them verified by the run that it goes on from" in part.statement
    assert "differed both then and on 2026-01-04" in part.statement
    assert f"anew speaks: at most {anew.files} files" in part.statement
    later = one(run(0), run(1, drawn=1000, taken_over=900))
    assert f"only the last run speaks: at most {anew.files} files" in later.statement
    every = one(run(0, drawn=1000, taken_over=1000))
    assert "anew speaks: at most 10000 files" in every.statement.replace(",", "")
    assert "1,000 of 1,000 drawn are equal, 1,000 by the run before" in "".join(
        history_lines([every])
    )


def test_runs_with_the_same_seed_count_once() -> None:
    """The larger draw holds the smaller one; which came first does not matter."""
    part = one(run(0, "s", 50), run(1, "s", 100), run(2, "s", 100))

    assert part.bound == upper_bound(10_000, 100, 0, 0.95)
    assert [counted.report for counted in part.counted] == ["1.json"]
    assert dict((r.report, why) for r, why in part.left_out) == {
        "0.json": "it has the seed of 1.json, and drew no more",
        "2.json": "it has the seed of 1.json, and drew no more",
    }


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
@pytest.mark.parametrize(
    "difference",
    [DIFFERENT, {"differences": 1}, {"verdict": Verdict.DIFFERS}],
)
def test_a_run_with_differences_comes_first_and_leaves_no_bound(
    order: tuple[int, ...], difference: dict[str, Any]
) -> None:
    """However many others found nothing; also where number and verdict disagree."""
    runs = [run(0), run(1, **difference), run(2)]

    part = one(*(runs[number] for number in order))

    assert part.differs
    assert part.runs[0].report == "1.json"
    assert part.bound is None
    assert "1 run found differences, which no other run takes back" in part.statement
    assert of_history([part]) is ExitCode.DIFFERS


def test_a_cut_short_run_with_a_difference_leaves_no_bound_either() -> None:
    """That it does not count for the bound does not make its finding less true."""
    part = one(run(0), run(1, compared=7, cut_short="interrupted", **DIFFERENT))

    assert part.bound is None
    assert of_history([part]) is ExitCode.DIFFERS


def test_differences_that_were_put_right_are_shown_and_not_counted() -> None:
    """Which the operator has to say: then the exit code is no difference's any more."""
    runs = [run(0, **DIFFERENT), run(1), run(2)]
    assert of_history([one(*runs)]) is ExitCode.DIFFERS

    part = one(*runs, since=FIRST + timedelta(days=1))

    assert part.runs[0].report == "0.json"
    assert part.bound == one(run(1), run(2)).bound
    lines = "\n".join(history_lines([part], FIRST + timedelta(days=1)))
    assert "DIFFERENCES WERE FOUND" in lines
    assert "since you say that they were put right" in lines
    assert of_history([part]) is ExitCode.DONE


def test_a_day_after_all_runs_leaves_none_to_count() -> None:
    """They came to their end, and are older: that is the reason."""
    part = one(run(0), run(1), since=FIRST + timedelta(days=99))

    assert part.bound is None
    assert "every run that came to its end is older than" in part.statement


def test_a_difference_after_what_was_put_right_stands() -> None:
    """Nobody has said anything of it."""
    part = one(
        run(0, **DIFFERENT), run(1), run(2, **DIFFERENT), since=run(1).started_at
    )

    assert part.stands
    assert part.bound is None
    assert of_history([part]) is ExitCode.DIFFERS


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cut_short": "interrupted", "compared": 50, "matched": 50}, "cut short"),
        ({"compared": 50, "matched": 50}, "cut short"),
        ({"bound": None, "verdict": Verdict.INCONCLUSIVE}, "not listed to its end"),
        ({"drawn": 0, "compared": 0, "matched": 0}, "drew no file"),
    ],
)
def test_a_run_that_proves_nothing_is_not_counted(
    changes: dict[str, Any], reason: str
) -> None:
    """With the reason; the others prove what they prove without it."""
    part = one(run(0), run(1, **changes), run(2))

    assert part.bound == one(run(0), run(2)).bound
    ((left_out, why),) = part.left_out
    assert left_out.report == "1.json"
    assert reason in why
    alone = one(run(1, **changes))
    assert alone.bound is None
    assert of_history([alone]) is ExitCode.INCONCLUSIVE


def test_files_that_were_not_shown_to_be_right_count_as_wrong() -> None:
    """Those that changed in S3, too: nobody has seen that they are right."""
    changed = run(1, matched=98, others=2, bound=upper_bound(10_000, 100, 2, 0.95))

    part = one(run(0), changed)

    assert part.counted == (run(0), changed)
    assert files(part) > files(one(run(0), run(1)))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"extra": 500, "not_in_s3": 500}, Draw(9_500, 95, 0)),
        ({"extra": 500, "not_in_s3": 501}, Draw(10_000, 100, 5)),
        ({"extra": None, "not_in_s3": 5}, Draw(10_000, 100, 5)),
    ],
)
def test_files_that_are_not_in_s3_are_apart_if_all_are_known(
    changes: dict[str, Any], expected: Draw
) -> None:
    """As in the run itself; and never so that more is proven than it says."""
    bound = upper_bound(9_500, 95, 0, 0.95)

    assert run(0, matched=95, bound=bound, **changes).draw == expected


def test_a_report_that_claims_less_is_not_made_to_claim_more() -> None:
    """The bound that the run gave itself is the limit."""
    weak = Bound(0.95, 700, 0.07)
    told = run(0, matched=95, bound=weak, extra=500, not_in_s3=500)

    assert told.draw == Draw(10_000, 100, 5)


@pytest.mark.parametrize(
    "changes",
    [
        {"backup": replace(DISK, disk="WD-2")},
        {"backup": replace(DISK, root="/other")},
        {"backup": replace(DISK, container="truecrypt A.tc")},
        {"backup": replace(DISK, selections=(Selection("my-bucket", "a/"),))},
        {"backup": replace(DISK, selections=(Selection("my-bucket", directory="d"),))},
        {"backup": replace(DISK, service="http://localhost:9000")},
        {"backup": replace(DISK, strong=True)},
        {"content": replace(FILES, files=10_001)},
        {"content": replace(FILES, size_bytes=10**9 + 1)},
        {"content": replace(FILES, years=(("2024", 10_000),))},
    ],
)
def test_runs_over_something_else_are_never_combined(
    changes: dict[str, Any],
) -> None:
    """Another disk, directory, selection, standard, or other files on the same disk."""
    parts = history([run(0), run(1, **changes)], 0.95)

    assert len(parts) == 2
    assert [len(part.counted) for part in parts] == [1, 1]


def test_backups_of_one_name_are_told_apart() -> None:
    """By the directories of their buckets, or by the service, where they differ."""
    one, other = (Selection("my-bucket", directory=name) for name in ("a", "b"))
    parts = history(
        [
            run(0, backup=replace(DISK, selections=(one,), service="aws")),
            run(1, backup=replace(DISK, selections=(other,), service="aws")),
        ],
        0.95,
    )

    told = "\n".join(history_lines(parts))

    assert "\n  s3://my-bucket/ in /a of aws\n" in told
    assert "\n  s3://my-bucket/ in /b of aws\n" in told
    assert " in /a" not in "\n".join(history_lines(parts[:1]))


def test_what_the_backup_held_before_is_marked() -> None:
    """Its bound is of its time."""
    earlier, later = run(0), run(1, content=replace(FILES, files=9_999))

    parts = history([earlier, later], 0.95)

    assert [(part.latest, part.current) for part in parts] == [
        (later.started_at, True),
        (earlier.started_at, False),
    ]
    assert "held other files later" in "\n".join(history_lines(parts))


def test_differences_go_before_what_is_newer() -> None:
    """Of all backups."""
    bad = run(0, backup=replace(DISK, disk="WD-0"), **DIFFERENT)

    parts = history([run(5), bad, run(6, backup=replace(DISK, disk="WD-2"))], 0.95)

    assert [part.backup.disk for part in parts] == ["WD-0", "WD-2", "WD-1"]
    assert next(iter(history_lines(parts))).startswith("WD-0")


def test_the_statement_says_of_which_time_it_speaks() -> None:
    """Later damage is the last run's business alone."""
    part = one(run(0), run(1))

    assert part.statement == (
        "2 runs, 200 files drawn: with 95% confidence at most 147 files (1.47%) "
        "differed in all of them, from 2026-01-04 to 2026-01-11. Of damage that came "
        "later only the last run speaks: at most 293 files (2.93%)."
    )
    assert one(run(0)).statement == (
        "One run, 100 files drawn: with 95% confidence at most 293 files (2.93%) "
        "differed on 2026-01-04."
    )
