"""What is advised after a verification follows from what it came to."""

from dataclasses import replace

import pytest
from report_samples import report

from s3export.domain.backup_layout import TreePath
from s3export.domain.verification import Finding, Outcome, Report, Sample, Tally
from s3export.entrypoints.cli.next_steps import next_step


def came_to(*outcomes: Outcome, drawn: int = 9, doubts: tuple[str, ...] = ()) -> Report:
    """Return a report over nine files."""
    tally = Tally()
    for outcome in outcomes:
        tally.add(Finding(TreePath(b"f"), outcome))
    sample = Sample("seed", drawn, drawn, drawn, 9)
    return replace(report(0), tally=tally, sample=sample, doubts=doubts)


@pytest.mark.parametrize(
    ("verified", "said"),
    [
        (came_to(Outcome.MATCH), ""),
        (came_to(Outcome.MATCH, Outcome.MISMATCH), "copy what differs or is missing"),
        (came_to(Outcome.UNREADABLE), "from S3 again to another disk"),
        (came_to(Outcome.MISMATCH, drawn=3), "see all that differs with --sample-size"),
        (
            came_to(Outcome.MATCH, Outcome.UNVERIFIABLE),
            "batch-checksum-manifest r.json",
        ),
        (came_to(Outcome.MATCH, doubts=("a clock",)), "settle what is in doubt above"),
        (
            replace(came_to(Outcome.MISSING_FROM_BACKUP), load_unfinished=True),
            "run load-device again",
        ),
        (came_to(Outcome.MISSING_FROM_SOURCE), "check that --bucket"),
    ],
)
def test_the_next_step_is_that_of_what_was_found(verified: Report, said: str) -> None:
    """Nothing is advised where all is well."""
    step = next_step(verified, ["r.html", "r.json"])

    assert said in step
    assert bool(step) is bool(said)


def test_files_that_this_user_may_not_read_are_no_damage() -> None:
    """Copying them again would not help."""
    detail = "Permission denied"
    finding = Finding(TreePath(b"f"), Outcome.UNREADABLE, detail=detail)
    verified = came_to(Outcome.UNREADABLE)

    assert "as root" in next_step(replace(verified, findings=(finding,)))
    broken = replace(finding, detail="Input/output error")
    assert "as root" not in next_step(replace(verified, findings=(finding, broken)))
    lost = replace(finding, outcome=Outcome.MISSING_FROM_BACKUP)
    assert "copy" in next_step(replace(verified, findings=(finding, lost)))


def test_where_nobody_knows_when_the_disk_was_written_that_is_asked_for() -> None:
    """What was written to S3 since is no difference."""
    verified = replace(came_to(Outcome.MISSING_FROM_BACKUP), exported_at=None)

    assert "--exported-at" in next_step(verified)
    unreadable = replace(came_to(Outcome.UNREADABLE), exported_at=None)
    assert "--exported-at" not in next_step(unreadable)


def test_a_disk_whose_only_directory_is_unreadable_is_not_called_absent() -> None:
    """It is mounted where it should be."""
    verified = came_to(Outcome.UNREADABLE, drawn=0)
    empty = replace(verified, sample=Sample("seed", 0, 0, 0, 0))

    assert "findmnt" not in next_step(empty)
