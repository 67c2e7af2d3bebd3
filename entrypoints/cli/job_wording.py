"""Jobs in words, for people."""

import shlex
from collections.abc import Iterable, Iterator, Sequence

from s3export.adapters.reports.documents import timestamp
from s3export.domain.job_states import Change, Situation
from s3export.domain.jobs import JobStatus, JobSummary
from s3export.domain.masking import masked
from s3export.domain.services.follow_jobs import (
    JobDetails,
    JobWithoutStatus,
    UpdatedJob,
)
from s3export.domain.services.job_watch import Observation
from s3export.entrypoints.cli.terminal import columns, harmless

_LIST_HEADER = ("JOB", "CREATED", "TYPE", "CANCELLED")
_DETAILS_HEADER = (*_LIST_HEADER, "LOCATION", "PROGRESS", "WHOSE TURN")


def status_lines(status: JobStatus, situation: Situation) -> Iterator[str]:
    """Say what AWS tells of a job, and what it means."""
    rows = [
        ("job", f"{status.job_id} ({status.job_type})"),
        ("created", timestamp(status.created_at)),
        ("location", f"{status.location_code}: {status.location_message}"),
        ("progress", f"{status.progress_code}: {status.progress_message}"),
    ]
    if status.carrier:
        rows.append(("parcel", f"{status.carrier} {status.tracking_number}"))
    if status.log_key:
        rows.append(("log", f"s3://{status.log_bucket}/{status.log_key}"))
    if status.error_count is not None:
        rows.append(("errors", str(status.error_count)))
    rows += _situation_rows(situation)
    yield from _aligned(rows)


def signature_lines(status: JobStatus) -> Iterator[str]:
    """Show what SIGNATURE of a job holds."""
    if not status.signature_file:
        yield "AWS's answer holds no signature."
        return
    yield "signature file:"
    for line in status.signature_file.splitlines():
        yield f"  {harmless(line)}"


def situation_lines(situation: Situation) -> Iterator[str]:
    """Say how a job stands."""
    yield from _aligned(_situation_rows(situation))


def manifest_lines(status: JobStatus) -> Iterator[str]:
    """Show a job's manifest without its password and PIN."""
    if not status.manifest:
        yield "AWS's answer holds no manifest."
        return
    yield "manifest (password and PIN hidden):"
    for line in masked(status.manifest).splitlines():
        yield f"  {harmless(line)}"


def job_lines(jobs: Sequence[JobSummary]) -> Iterator[str]:
    """List jobs."""
    yield from _table(_LIST_HEADER, [_summary_row(job) for job in jobs])


def detail_lines(jobs: Sequence[JobDetails | JobWithoutStatus]) -> Iterator[str]:
    """List jobs with their statuses, or why there is none."""
    yield from _table(_DETAILS_HEADER, [_details_row(job) for job in jobs])


def change_lines(seen: Observation) -> Iterator[str]:
    """Say what changed, a line for each."""
    for change in seen.changed:
        yield f"{timestamp(seen.moment)}  {_change(change)}"


def update_lines(updated: UpdatedJob, *, dry_run: bool) -> Iterator[str]:
    """Say what an update changed, or would change."""
    if updated.difference:
        yield "The manifest at AWS (-) and this one (+), passwords and PINs hidden:"
        for line in updated.difference:
            yield f"  {harmless(line)}"
    else:
        yield "The manifest is the one that AWS holds already."
    if dry_run:
        yield f"AWS accepts the manifest for job {updated.job_id}; nothing was changed."
    elif updated.signature_written:
        yield f"Updated job {updated.job_id} and SIGNATURE on its disk."
    else:
        yield f"Updated job {updated.job_id}."


def outdated(updated: UpdatedJob, manifest: str) -> str:
    """Say that a disk that is prepared already needs SIGNATURE again, and how."""
    job_id = updated.job_id
    again = shlex.join(("s3export", "update-job", job_id, manifest, "DISK"))
    return (
        f"the signature of job {job_id} changed with its manifest: SIGNATURE on a disk "
        f"prepared before is not current any more. Write it again: {again} (or copy "
        f"it: s3export get-status {job_id} --signature FILE)"
    )


def _situation_rows(situation: Situation) -> list[tuple[str, str]]:
    return [
        ("meaning", situation.meaning),
        ("turn", situation.turn.value),
        ("next", situation.next_step),
    ]


def _summary_row(job: JobSummary) -> tuple[str, ...]:
    cancelled = "yes" if job.cancelled else "no"
    return (job.job_id, timestamp(job.created_at), job.job_type, cancelled)


def _details_row(job: JobDetails | JobWithoutStatus) -> tuple[str, ...]:
    row = _summary_row(job.summary)
    if isinstance(job, JobWithoutStatus):
        return (*row, "?", "?", f"no status: {job.error.message}")
    status, turn = job.status, job.situation.turn.value
    return (*row, status.location_code, status.progress_code, turn)


def _change(change: Change) -> str:
    return harmless(f"{change.what}: {change.before} → {change.after}")


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        yield "There are no jobs."
        return
    yield from _aligned([header, *rows])


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    return columns([[harmless(cell) for cell in row] for row in rows])
