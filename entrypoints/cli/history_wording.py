"""What has ever been verified, in words."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from s3export.domain.counting import counted
from s3export.domain.history import Backup, ContentHistory, PastRun
from s3export.domain.sizes import size
from s3export.entrypoints.cli.terminal import columns, harmless


def history_lines(
    parts: Sequence[ContentHistory], since: datetime | None = None
) -> Iterator[str]:
    """Tell one backup and content after the other."""
    backups = dict.fromkeys(part.backup for part in parts)
    like = Counter(_named(backup) for backup in backups)
    for number, part in enumerate(parts):
        if number:
            yield ""
        name = _named(part.backup)
        yield harmless(name)
        if like[name] > 1:
            yield harmless(f"  {_in_full(part.backup)}")
        yield from _part_lines(part, since)
    if any(run.differs or run.other_findings for part in parts for run in part.runs):
        yield ""
        yield from _WHAT_COUNTS


_WHAT_COUNTS = (
    "Differences are critical findings alone: what is not equal, missing from the "
    "backup, or unreadable.",
    "Other findings are none: what changed in S3 since the export, what S3 does not "
    "have, what could not be compared.",
)


def _part_lines(part: ContentHistory, since: datetime | None) -> Iterator[str]:
    content = part.content
    earlier = "" if part.current else "; the backup held other files later"
    yield f"  {counted(content.files, 'file')}, {size(content.size_bytes)}{earlier}"
    if part.differs:
        yield "  DIFFERENCES WERE FOUND:"
    yield from columns([_row(run) for run in part.runs])
    for run, reason in part.left_out:
        yield f"  not counted: {harmless(run.report)}: {harmless(reason)}"
    if part.put_right and since:
        yield (
            f"  {counted(part.put_right, 'run')} with differences before "
            f"{since:%Y-%m-%d} not counted, since you say that they were put right"
        )
    yield f"  {part.statement}"


def _named(backup: Backup) -> str:
    within = f" in {backup.container}" if backup.container else ""
    strong = ", strong evidence alone" if backup.strong else ""
    against = ", ".join(f"s3://{bucket}" for bucket in backup.buckets) or "nothing"
    return f"{backup.disk}{within}, {backup.root}, against {against}{strong}"


def _in_full(backup: Backup) -> str:
    """Tell what those differ in that have one name."""
    service = f" of {backup.service}" if backup.service else ""
    return f"{'; '.join(map(str, backup.selections))}{service}"


def _row(run: PastRun) -> tuple[str, ...]:
    alone = "nothing proven"
    before = f", {run.taken_over:,} by the run before" if run.taken_over else ""
    if run.differs:
        alone = counted(run.differences, "critical difference")
    elif run.bound is not None:
        alone = f"alone: at most {run.bound.files:,} ({run.bound.fraction:.2%})"
    if run.extra is None:
        alone += ", what is missing was not looked for"
    if run.other_findings:
        alone += f", {counted(run.other_findings, 'other finding')}"
    return (
        "  ",
        f"{run.started_at:%Y-%m-%d %H:%M}",
        run.verdict.value.upper() if not run.differs else "DIFFERS",
        f"{run.matched:,} of {run.drawn:,} drawn are equal{before}",
        alone,
        harmless(run.report),
    )
