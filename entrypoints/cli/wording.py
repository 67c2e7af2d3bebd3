"""Results in words, for people."""

from collections import Counter
from collections.abc import Iterator, Mapping

from s3export.adapters.reports.documents import timestamp
from s3export.domain.backup_layout import shown
from s3export.domain.counting import counted
from s3export.domain.devices import describe
from s3export.domain.services.create_job import CreateJobPlan
from s3export.domain.verification import (
    ON_DISK,
    Finding,
    Outcome,
    Report,
    SelectionOrigin,
    Verdict,
)
from s3export.entrypoints.cli.terminal import harmless

_VERDICTS = {
    Verdict.VERIFIED: "VERIFIED: no file that was looked at differs from S3.",
    Verdict.DIFFERS: "DIFFERS: the backup is not what S3 holds.",
    Verdict.INCONCLUSIVE: (
        "INCONCLUSIVE: nothing was found to differ, but not all that was looked at "
        "could be verified."
    ),
}


def plan_lines(plan: CreateJobPlan) -> Iterator[str]:
    """Say what create-job is about to do."""
    facts = plan.facts
    yield f"Disk: {harmless(facts.path)}, {harmless(describe(facts))}"
    if facts.by_id:
        yield f"  also called: {harmless(facts.by_id)}"
    for caution in plan.cautions():
        yield f"  {harmless(caution)}"
    for number, step in enumerate(plan.steps(), 1):
        yield f"  {number}. {harmless(step)}"


def summary_lines(report: Report) -> Iterator[str]:
    """Say what a verification came to; ends with tally, verdict and statement."""
    sample = report.sample
    for doubt in report.doubts:
        yield f"In doubt: {harmless(doubt)}"
    if report.cut_short:
        yield f"Cut short: {harmless(report.cut_short)}"
    if report.container:
        found = report.container
        yield (
            f"Container: {harmless(found.path)}, {found.kind}, {found.cipher}, opened "
            f"with {found.opened_with}"
        )
    if report.exported_at:
        moment = timestamp(report.exported_at.moment)
        yield f"Exported: {moment}, says {report.exported_at.origin}"
    if report.export_log:
        yield f"Export log: {harmless(report.export_log.path)}{_own_word(report)}"
    if report.selection:
        yield harmless(_selection(report.selection))
    drawn = f"{sample.drawn:,} of {counted(sample.population, 'file')}"
    if sample.requested is None:
        all_of_them = sample.compared == sample.population and not report.cut_short
        many = "all" if all_of_them else f"{sample.compared:,} of"
        files = counted(sample.population, "file")
        yield f"Compared {many} {files} below /{_root(report)}"
    else:
        yield f"Drew {drawn} below /{_root(report)}"
    if sample.taken_over:
        yield f"  {sample.taken_over:>9,}  of them verified by the earlier run"
    yield from _outcome_lines(report)
    tally = report.tally.assertions
    yield (
        f"Assertions run: {tally.run}, succeeded: {tally.succeeded}, "
        f"failed: {tally.failed}"
    )
    if not report.completeness:
        yield "Whether objects are missing on the disk was not looked at."
    yield verdict_line(report)
    yield report.statement


def _outcome_lines(report: Report) -> Iterator[str]:
    """Count outcomes; what was found without being drawn by itself."""
    all_found = report.tally.counts
    drawn = report.sample.outcomes if report.sample.requested else all_found
    yield from _counts(drawn)
    besides = all_found - Counter(drawn)
    if besides:
        yield "Found besides the files that were drawn:"
        yield from _counts(besides)


def _counts(outcomes: Mapping[Outcome, int]) -> Iterator[str]:
    for outcome in Outcome:
        if many := outcomes.get(outcome):
            yield f"  {many:>9,}  {outcome.value.replace('_', ' ')}"


def _own_word(report: Report) -> str:
    own = report.export_log and report.export_log.origin == ON_DISK
    return " on the disk, which is its own word" if own else ""


def _selection(selection: SelectionOrigin) -> str:
    job = f" of job {selection.job_id}" if selection.job_id else ""
    if selection.named:
        return f"Selection: the part{job} {selection.part}, says {selection.path}"
    return (
        f"Selection: what was loaded onto this disk{job}, says {selection.path}, "
        "nobody else"
    )


def verdict_line(report: Report) -> str:
    """Say what it amounts to."""
    if report.verdict is Verdict.VERIFIED:
        if report.tally[Outcome.CHANGED_SINCE_EXPORT]:
            return (
                "VERIFIED: whatever differs from S3 has changed there since the export."
            )
        if report.tally[Outcome.MISSING_FROM_SOURCE]:
            return (
                "VERIFIED: no file that S3 has differs; those that it has not, or has "
                "no more, are named above."
            )
    if report.verdict is Verdict.INCONCLUSIVE and report.doubts:
        return "INCONCLUSIVE: nothing was found to differ; what is in doubt is above."
    return _VERDICTS[report.verdict]


def finding_line(finding: Finding) -> str:
    """Say what was found of one file."""
    mark = finding.outcome.value.upper().replace("_", " ")
    path = shown(finding.path)
    parts = [f"{mark}: {harmless(path)}"]
    if finding.key and not path.endswith(finding.key):
        parts = [f"{parts[0]}, s3://{finding.bucket}/{harmless(finding.key)}"]
    if finding.detail:
        parts.append(f"({harmless(finding.detail)})")
    if finding.outcome is Outcome.MISMATCH and finding.expected:
        parts.append(
            f"{finding.evidence}: S3 has {finding.expected}, the disk {finding.actual}"
        )
    return " ".join(parts)


def _root(report: Report) -> str:
    return harmless(shown(report.root))
