"""What to do after a verification, in one line."""

import errno
import os
from collections.abc import Sequence

from s3export.domain.services.disk_notes import GO_ON_LOADING
from s3export.domain.verification import Finding, Outcome, Report, Verdict

_NOT_PERMITTED = os.strerror(errno.EACCES)


def next_step(report: Report, reports: Sequence[str] = ()) -> str:
    """Return what helps most; empty where nothing has to be done.

    Args:
        reports: The files that the report was written to.
    """
    if report.load_unfinished:
        return GO_ON_LOADING
    match report.verdict:
        case Verdict.VERIFIED:
            return ""
        case Verdict.DIFFERS:
            return _after_differences(report)
        case Verdict.INCONCLUSIVE:
            return _after_doubt(report, reports)


def _after_differences(report: Report) -> str:
    unreadable = report.tally[Outcome.UNREADABLE]
    if not report.sample.population and not unreadable:
        return "see whether the disk is mounted there (findmnt), and what it holds"
    critical = [finding for finding in report.findings if finding.critical]
    if critical and all(map(_is_not_permitted, critical)):
        return "run it as root, or as a user who may read all files of the backup"
    where = " to another disk" if unreadable else ""
    again = f"copy what differs or is missing from S3 again{where}"
    tally = report.tally
    may_be_newer = tally[Outcome.MISMATCH] or tally[Outcome.MISSING_FROM_BACKUP]
    if may_be_newer and not report.exported_at:
        again = f"say when the disk was written (--exported-at), or {again}"
    if report.sample.drawn < report.sample.population:
        return f"see all that differs with --sample-size all, then {again}"
    return f"{again}, then run the same command"


def _is_not_permitted(finding: Finding) -> bool:
    unreadable = finding.outcome is Outcome.UNREADABLE
    return unreadable and finding.detail == _NOT_PERMITTED


def _after_doubt(report: Report, reports: Sequence[str]) -> str:
    if report.tally[Outcome.UNVERIFIABLE]:
        (written, *_) = [path for path in reports if path.endswith(".json")] or [
            "REPORT.json"
        ]
        return (
            "compare the content with --download-unverifiable, or have S3 compute "
            f"checksums: s3export batch-checksum-manifest {written}"
        )
    if report.doubts:
        return "settle what is in doubt above, then run the same command"
    return (
        "nothing was equal to S3: check that --bucket, --manifest and "
        "--target-directory name what the disk holds"
    )
