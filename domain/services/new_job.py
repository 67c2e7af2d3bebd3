"""Create a job just once, also where AWS's reply is lost.

CreateJob has no token that would make it idempotent (botocore's model of the API
2010-06-01): after a lost reply the job is looked for among those that were not there
before; a second one is never created.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from s3export.domain.errors import AwsError, ReplyLost
from s3export.domain.job_states import has_ended
from s3export.domain.jobs import CreatedJob, JobId, JobStatus, same_manifest
from s3export.domain.ports import Clock, ExportService

PAUSES_SECONDS = (0, 2, 5)
"""How long to wait before each look for a job whose reply was lost."""


@dataclass(frozen=True)
class NewJob:
    """The use case; see the module."""

    export: ExportService
    clock: Clock

    def create(self, manifest: str) -> CreatedJob:
        """Create a job, or find the one that was created.

        Raises:
            AwsError: No job was created.
            ReplyLost: Perhaps a job was created; the message says what was looked at.

        """
        before = frozenset(job.job_id for job in self.export.jobs())
        try:
            return self.export.create(manifest)
        except ReplyLost as lost:
            try:
                return self._found_again(manifest, before, lost)
            except ReplyLost:
                raise
            except AwsError as error:
                raise ReplyLost(
                    f"{lost.message}; looking for it failed, too: {error.message}",
                    next_step=(
                        "look for a new job with: s3export list-jobs, before you "
                        "create one again"
                    ),
                ) from error

    def _found_again(
        self, manifest: str, before: Collection[JobId], lost: ReplyLost
    ) -> CreatedJob:
        """Return the one new job that holds the manifest.

        Raises:
            ReplyLost: There is none, or more than one.
            AwsError: The jobs cannot be looked at.

        """
        others: list[JobId] = []
        for pause in PAUSES_SECONDS:
            self.clock.wait(pause)
            new = self._new_jobs(before)
            found = [job for job in new if _is_of(job, manifest)]
            if len(found) > 1:
                raise _several(found, lost)
            if found:
                return _adopted(found[0], lost)
            others = [job.job_id for job in new]
        raise _none(others, lost)

    def _new_jobs(self, before: Collection[JobId]) -> list[JobStatus]:
        return [
            self.export.status(job.job_id)
            for job in self.export.jobs()
            if job.job_id not in before and not job.cancelled
        ]


def _is_of(job: JobStatus, manifest: str) -> bool:
    return (
        job.manifest is not None
        and same_manifest(job.manifest, manifest)
        and not has_ended(job)
    )


def _adopted(job: JobStatus, lost: ReplyLost) -> CreatedJob:
    if not job.signature_file:
        raise ReplyLost(
            f"{lost.message}; it is job {job.job_id}, but AWS tells no signature of it",
            next_step=(
                f"ask for it with: s3export get-status {job.job_id}; give the job up "
                f"with: s3export cancel-job {job.job_id}"
            ),
        )
    return CreatedJob(
        job.job_id,
        job.signature_file,
        warning=(
            f"AWS's reply was lost; job {job.job_id} is the only new one with this "
            "manifest, and was taken for it: no second job was created"
        ),
    )


def _several(found: Sequence[JobStatus], lost: ReplyLost) -> ReplyLost:
    ids = ", ".join(job.job_id for job in found)
    return ReplyLost(
        f"{lost.message}; {len(found)} jobs that were not there before hold this "
        f"manifest: {ids}",
        next_step=(
            "keep one of them and cancel the others with: s3export cancel-job JOB; "
            "format the disk and sign it for the one with: s3export update-job JOB "
            "MANIFEST DEVICE"
        ),
    )


def _none(others: Sequence[JobId], lost: ReplyLost) -> ReplyLost:
    seconds = sum(PAUSES_SECONDS)
    new = f"the new jobs are of other manifests, or have ended: {', '.join(others)}"
    return ReplyLost(
        f"{lost.message}; in {len(PAUSES_SECONDS)} looks at the list of jobs within "
        f"{seconds} seconds there was no new one with this manifest"
        + (f"; {new}" if others else ""),
        next_step=(
            "look again in some minutes with: s3export list-jobs; create the job again "
            "only if there is none of it then"
        ),
    )
