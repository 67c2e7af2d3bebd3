"""Compare the files of a disk with what S3 holds, by metadata alone.

Open the device read-only; list what S3 holds, compactly; stream the tree once, in
whatever order suits the disk, into the draw and past the listing; take the drawn files
in the order the disk likes, ask S3 about many at once, read each file once, compare;
then name what the listing has and the disk has not. What was opened is released in
reverse, whatever happened, and what was found until then is reported.
"""

from array import array
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from s3export.domain.backup_layout import BackupLayout
from s3export.domain.counting import counted
from s3export.domain.devices import DeviceFacts, DeviceKind, refusals_to_read
from s3export.domain.errors import (
    DeviceError,
    DeviceRefused,
    InputRefused,
    S3ExportError,
)
from s3export.domain.ports import BlockDevices, KeyRing
from s3export.domain.services.claimed_part import PartRefuted
from s3export.domain.services.disk_notes import Basis, basis
from s3export.domain.services.open_backup import OpenBackup
from s3export.domain.services.verification_run import Parts, Run
from s3export.domain.services.verify_request import VerifyRequest, Watch
from s3export.domain.verification import EarlierRun, Finding, Report, Sample


class _Began(NamedTuple):
    """When a run began, and what its store had been asked for before."""

    at: datetime
    requests: Counter[str]
    downloaded: int


@dataclass(frozen=True)
class VerifyBackup:
    """The use case; see the module.

    Attributes:
        version: Of s3export, for the report.

    """

    devices: BlockDevices
    open_backup: OpenBackup
    parts: Parts
    version: str

    def __call__(
        self, request: VerifyRequest, keys: KeyRing, watch: Watch | None = None
    ) -> Report:
        """Verify, and say what was found.

        Args:
            keys: Asked for a password if the backup turns out to be encrypted.
            watch: Follows the run.

        Raises:
            DeviceRefused: The device is in use.
            InputRefused: The earlier run was of something else.
            NothingToCompareWith: Nobody says what it should equal, the disk included.
            RootAbsent: The backup's directory is not on it.
            ContainerLocked, ContainerUnclear, PasswordRefused: The container on it
                cannot be opened.
            AwsError: S3 cannot be asked; ``watch`` gets what was found until then.

        """
        began = _Began(
            self.parts.clock.now(),
            Counter(self.parts.store.requests()),
            self.parts.store.bytes_downloaded(),
        )
        facts = self.devices.inspect(request.device)
        refusals = refusals_to_read(facts)
        if refusals:
            raise DeviceRefused(
                "; ".join(refusal.reason for refusal in refusals),
                next_step="; ".join(dict.fromkeys(r.way_out for r in refusals)),
            )
        if request.layout:  # what is wrong is told before a password is asked for
            self._check_buckets(request.layout)
        report = None
        try:
            with ExitStack() as stack:
                opened = stack.enter_context(
                    self.open_backup(facts, request.layout, request.opening, keys)
                )

                def settled(layout: BackupLayout) -> None:
                    if request.earlier:
                        service = self.parts.store.service()
                        self._check(request.earlier, request, layout, facts, service)

                def begun(rests_on: Basis) -> Run:
                    run = Run(
                        self.parts,
                        request,
                        rests_on,
                        opened.tree,
                        stack,
                        watch.found if watch else _nobody,
                        noticed=watch.noticed if watch else _nobody,
                        settled=settled,
                        where_to_look=_where_to_look(facts),
                    )
                    run.container = opened.container
                    run.warnings += (*opened.warnings, *rests_on.warnings)
                    return run

                rests_on = basis(request, opened.tree)
                if not request.layout:
                    self._check_buckets(rests_on.layout)
                run = begun(rests_on)
                try:
                    try:
                        run.verify()
                    except PartRefuted as refuted:  # nothing was compared yet
                        run = begun(rests_on.as_whole(refuted.path))
                        run.verify()
                except BaseException as error:
                    if isinstance(error, BrokenPipeError):
                        run.nobody_listens()
                    run.conclude_what_is_left()
                    if watch and run.began:
                        run.cut_short = _why(error)
                        watch.unfinished(self._report(run, facts, began))
                    raise
                report = self._report(run, facts, began)
        except DeviceError as error:
            if report is None:
                raise
            # The verdict stands, whatever happened to the disk after it was read.
            warnings = (*report.warnings, f"releasing the disk: {error.message}")
            return replace(report, warnings=warnings)
        return report

    def _check_buckets(self, layout: BackupLayout) -> None:
        for bucket in dict.fromkeys(source.bucket for source in layout.sources):
            self.parts.store.check_bucket(bucket)

    @staticmethod
    def _check(
        earlier: EarlierRun,
        request: VerifyRequest,
        layout: BackupLayout,
        facts: DeviceFacts,
        service: str,
    ) -> None:
        refusals = earlier.refusals(
            request.seed, facts, layout, strong=request.strong, service=service
        )
        if refusals:
            raise InputRefused(
                f"the earlier run cannot be gone on with: {'; '.join(refusals)}",
                next_step="verify without --resume",
            )
        before, now = earlier.requested, request.most_drawn
        if not request.takes_all and (before is None or now < before):
            many = "all files" if before is None else counted(before, "file")
            size = "all" if before is None else before
            raise InputRefused(
                f"the earlier run was to draw {many}, and {now:,} are asked for: what "
                "it found wrong might not be among them",
                next_step=f"say --sample-size {size}, or verify without --resume",
            )

    def _report(self, run: Run, facts: DeviceFacts, began: "_Began") -> Report:
        request, layout = run.request, run.basis.layout
        sample = Sample(
            seed=request.seed,
            requested=run.requested,
            drawn=run.drawn,
            compared=run.compared,
            population=run.files.count,
            taken_over=run.taken_over,
            unlisted=len(run.files.damaged),
            outcomes=run.outcomes,
            extra=run.known_extra,
        )
        unlooked_at = run.drawn < run.files.count or bool(run.cut_short)
        return Report(
            device=facts,
            opened_read_only=facts.kind is not DeviceKind.DIRECTORY,
            container=run.container,
            root=layout.root,
            sources=layout.sources,
            sample=sample,
            tally=run.tally,
            bound=run.bound() if run.walked else None,
            findings=tuple(sorted(run.findings, key=lambda finding: finding.path)),
            requests=Counter(self.parts.store.requests()) - began.requests,
            bytes_read=run.bytes_read,
            bytes_downloaded=self.parts.store.bytes_downloaded() - began.downloaded,
            started_at=began.at,
            finished_at=self.parts.clock.now(),
            version=self.version,
            strong=request.strong,
            exported_at=run.knowledge.exported_at,
            completeness=run.completeness,
            population_profile=run.files.profile,
            drawn_profile=run.drawn_profile,
            verified=run.verified if unlooked_at else array("Q"),
            cut_short=run.cut_short,
            doubts=tuple(run.doubts),
            warnings=tuple(run.warnings),
            export_log=run.basis.log_origin,
            selection=run.basis.selection,
            load_unfinished=run.basis.unfinished,
            service=self.parts.store.service(),
        )


def _why(error: BaseException) -> str:
    if isinstance(error, S3ExportError):
        return error.message
    return f"interrupted ({error})" if str(error) else "interrupted"


def _where_to_look(facts: DeviceFacts) -> str:
    """Ask what a disk without any file makes one ask."""
    if facts.kind is DeviceKind.DIRECTORY:
        return (
            f"is the disk mounted there? findmnt --target {facts.path} says what is; "
            "or is it another directory (--target-directory)?"
        )
    return (
        f"is {facts.path} the right disk, and is it another directory "
        "(--target-directory)?"
    )


def _nobody(found: Finding | str) -> None:
    """Take what nobody waits for."""
