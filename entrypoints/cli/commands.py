"""One function a command: call the library, show the result, return the exit code."""

import argparse
import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from s3export.adapters.customer_keys import customer_key_in
from s3export.adapters.input_files import content_of
from s3export.adapters.installation import adding_the_sandbox
from s3export.adapters.interruption import Interruption
from s3export.adapters.keys import PASSWORD_VARIABLE, GivenKeys
from s3export.adapters.reports import documents
from s3export.domain.backup_layout import directory_of
from s3export.domain.confidence import percent
from s3export.domain.containers import Opening, OpenWith
from s3export.domain.errors import (
    ConfirmationMissing,
    DeviceError,
    InputRefused,
    Problem,
    S3ExportError,
    Severity,
)
from s3export.domain.job_states import Situation, situation_of
from s3export.domain.jobs import JobStatus
from s3export.domain.masking import masked
from s3export.domain.ports import KeyRing, Leftover
from s3export.domain.secret import Secret
from s3export.domain.services.create_job import DiskWishes
from s3export.domain.services.job_watch import NoAnswer
from s3export.domain.verification import Report, ReportNotWritten, Verdict
from s3export.entrypoints import library
from s3export.entrypoints.cli import device_wording, job_wording, wording
from s3export.entrypoints.cli.exit_codes import ExitCode, of_verdict
from s3export.entrypoints.cli.next_steps import next_step
from s3export.entrypoints.cli.shown_findings import ShownFindings
from s3export.entrypoints.cli.terminal import Terminal, harmless

if TYPE_CHECKING:
    from s3export.entrypoints.container import Application
    from s3export.entrypoints.settings import Configuration

DEFAULT_INTERVAL_SECONDS = 300

_SETTINGS = (
    "profile",
    "region",
    "endpoint_url",
    "forks",
    "sample_size",
    "backup_directory",
    "request_payer",
)


@dataclass
class Call:
    """One call of the program.

    Attributes:
        arguments: As parsed; an option that was not given is not there.
        left: What killed runs left, and nobody wanted released.
    """

    arguments: argparse.Namespace
    terminal: Terminal
    interruption: Interruption = field(default_factory=Interruption)
    left: Sequence[Leftover] = ()

    @cached_property
    def application(self) -> "Application":
        """The parts, wired with this call's options; imported when first needed."""
        from dependency_injector import providers

        from s3export.entrypoints.container import Application

        configured = self.configuration
        for warning in configured.warnings:
            self.terminal.warn(warning)
        return Application(
            settings=providers.Object(configured.settings),
            progress=providers.Object(self.terminal.progress()),
            interruption=providers.Object(self.interruption),
        )

    @cached_property
    def configuration(self) -> "Configuration":
        """The settings, with this call's options, and where each comes from."""
        from s3export.entrypoints.settings import configuration

        options = {name: getattr(self.arguments, name, None) for name in _SETTINGS}
        key_file = getattr(self.arguments, "sse_c_key_file", None)
        options["sse_c_key"] = None if key_file is None else customer_key_in(key_file)
        return configuration(options, config_file=self.config_file)

    @property
    def config_file(self) -> str | None:
        """The settings file that this call names."""
        return getattr(self.arguments, "config", None)

    def situation_of(self, status: JobStatus) -> Situation:
        """Say how a job stands now."""
        return situation_of(status, self.application.adapters.clock().now())

    def offer_cleaning(self) -> None:
        """Name what killed runs left mounted or attached, and offer to release it."""
        devices = self.application.adapters.block_devices()
        leftovers: Sequence[Leftover] = ()
        with contextlib.suppress(DeviceError):  # no tools: the command itself will say
            leftovers = devices.leftovers()
        for leftover in leftovers:
            self.terminal.warn(
                f"a run that was killed left a {leftover.what}; "
                f"release it with: {leftover.command}"
            )
        if leftovers and self.terminal.agrees("Release what was left?"):
            self._release(leftovers)
        else:
            self.left = leftovers

    def advised(self, error: S3ExportError) -> S3ExportError:
        """Return an error with the right advice, if what was left is in the way.

        One thing lies on the other: what is in the way is seldom the first to go.
        """
        if any(each.command in error.next_step for each in self.left):
            error.next_step = (
                "release what the killed run left, in the order of the warnings above"
            )
        return error

    def release_what_was_left(self) -> None:
        """Release what killed runs left mounted or attached, without asking."""
        with contextlib.suppress(DeviceError):  # the command itself will say
            self._release(self.application.adapters.block_devices().leftovers())

    def _release(self, leftovers: Sequence[Leftover]) -> None:
        devices = self.application.adapters.block_devices()
        for leftover in leftovers:
            devices.clean(leftover)
            self.terminal.tell(
                f"released what a run that was killed left: {harmless(leftover.what)}"
            )


def create_job(call: Call) -> int:
    """Plan, show, confirm, carry out."""
    arguments, terminal = call.arguments, call.terminal
    call.offer_cleaning()
    plan = library.plan_job(
        arguments.manifest,
        arguments.device,
        wishes=DiskWishes(
            erase=not arguments.skip_format,
            whole_disk=arguments.whole_disk,
            full_format=arguments.full_format,
            allow_fixed=arguments.allow_fixed_disk or will_be_typed(call),
        ),
        resume=arguments.resume,
        online=arguments.online,
        several_disks=arguments.several_disks,
        ignore=arguments.ignore,
        application=call.application,
    )
    _warn(terminal, arguments.manifest, plan.remarks)
    terminal.warn(plan.service_warning)
    if arguments.dry_run:
        lines = [*wording.plan_lines(plan), "Dry run: nothing was changed."]
        terminal.result(lines, documents.plan_document(plan))
        return ExitCode.DONE
    for line in wording.plan_lines(plan):
        terminal.tell(line)
    terminal.confirm(
        "Everything on the disk will be lost."
        if plan.erase
        else "SIGNATURE will be written to the disk.",
        plan.facts.name_to_confirm,
        arguments.confirm_device,
    )
    job = library.create_job(plan, application=call.application)
    terminal.warn(job.warning)
    path = plan.facts.path
    done = "Went on with" if plan.job else "Created"
    terminal.result(
        [
            f"{done} job {job.job_id}; {harmless(path)} is ready to be sent.",
            *(
                [f"The disk's old partition table and headers are in {job.saved}"]
                if job.saved
                else []
            ),
            f"Follow it with: s3export get-status {job.job_id}",
        ],
        documents.created_document(job, path),
    )
    return ExitCode.DONE


def will_be_typed(call: Call) -> bool:
    """Say whether somebody will read the cautions and type the disk's name."""
    arguments = call.arguments
    return arguments.dry_run or (
        call.terminal.can_ask and arguments.confirm_device is None
    )


def list_devices(call: Call) -> int:
    """Show the disks that may be chosen, and why the others may not."""
    devices = library.list_devices(application=call.application)
    call.terminal.result(
        device_wording.device_lines(devices),
        [documents.listed_device_document(d.facts, d.refusals) for d in devices],
    )
    return ExitCode.DONE


def _warn(terminal: Terminal, name: str, remarks: Sequence[Problem]) -> None:
    for problem in remarks:
        if problem.severity is Severity.WARNING:
            terminal.warn(f"{name}: {problem} [{problem.rule}]")


def update_job(call: Call) -> int:
    """Replace a job's manifest."""
    arguments, terminal = call.arguments, call.terminal
    if arguments.device:
        call.offer_cleaning()
    updated = library.update_job(
        arguments.job_id,
        arguments.manifest,
        arguments.device,
        dry_run=arguments.dry_run,
        ignore=arguments.ignore,
        application=call.application,
    )
    _warn(terminal, arguments.manifest, updated.remarks)
    terminal.warn(updated.warning)
    if updated.signature_outdated:
        terminal.warn(job_wording.outdated(updated, arguments.manifest))
    terminal.result(
        job_wording.update_lines(updated, dry_run=arguments.dry_run),
        documents.updated_document(updated, dry_run=arguments.dry_run),
    )
    return ExitCode.DONE


def cancel_job(call: Call) -> int:
    """Show how a job stands, ask, and cancel it."""
    terminal, job_id = call.terminal, call.arguments.job_id
    status = library.cancellable_job(job_id, application=call.application)
    for line in job_wording.status_lines(status, call.situation_of(status)):
        terminal.tell(line)
    if not call.arguments.yes:
        _agree_to_cancel(terminal, job_id)
    library.cancel_job(job_id, application=call.application)
    terminal.result([f"Cancelled job {job_id}."], {"job_id": job_id, "cancelled": True})
    return ExitCode.DONE


def _agree_to_cancel(terminal: Terminal, job_id: str) -> None:
    if not terminal.can_ask:
        raise ConfirmationMissing(
            f"nobody can be asked whether job {job_id} shall be cancelled; it was not",
            next_step="confirm it with --yes",
        )
    if not terminal.agrees(f"Cancel job {job_id}? It cannot be taken back."):
        raise ConfirmationMissing(f"not confirmed: job {job_id} was not cancelled")


def get_status(call: Call) -> int:
    """Show a job; with --watch also how it goes on."""
    if call.arguments.watch:
        return _watch(call)
    if call.arguments.interval is not None:
        raise InputRefused(
            "--interval is how often --watch looks", next_step="add --watch"
        )
    status = library.get_status(call.arguments.job_id, application=call.application)
    written = _write_signature(call, status)
    call.terminal.result(
        _status_lines(call, status, written), _status_document(call, status, written)
    )
    return ExitCode.DONE


def _watch(call: Call) -> int:
    """Show a job and every change, until nothing can change; as JSON its end alone."""
    arguments, terminal = call.arguments, call.terminal
    interval = arguments.interval or DEFAULT_INTERVAL_SECONDS
    written, last = "", None
    for seen in library.watch_job(
        arguments.job_id, interval_seconds=interval, application=call.application
    ):
        if isinstance(seen, NoAnswer):
            terminal.warn(f"{seen.error.message}; asking again in {interval} s")
            continue
        if last is None:
            written = _write_signature(call, seen.status)
            if not terminal.as_json:
                terminal.result(_status_lines(call, seen.status, written), None)
            if not seen.situation.is_final:
                terminal.tell(f"Asking every {interval} s; Ctrl-C ends it.")
        for line in job_wording.change_lines(seen):
            if terminal.as_json:
                terminal.tell(line)
            else:
                terminal.result([line], None)
        last = seen
    if last is not None and terminal.as_json:
        terminal.result([], _status_document(call, last.status, written))
    elif last is not None and last.changed:
        terminal.result(job_wording.situation_lines(last.situation), None)
    return ExitCode.DONE


def _write_signature(call: Call, status: JobStatus) -> str:
    """Write SIGNATURE where that was asked for; return where, or nothing."""
    if call.arguments.signature is None:
        return ""
    return library.write_signature_file(status, call.arguments.signature)


def _status_lines(call: Call, status: JobStatus, written: str) -> Iterator[str]:
    yield from job_wording.status_lines(status, call.situation_of(status))
    yield from job_wording.signature_lines(status)
    if call.arguments.show_manifest:
        yield from job_wording.manifest_lines(status)
    if written:
        yield f"Wrote the signature file to {harmless(written)}"


def _status_document(call: Call, status: JobStatus, written: str) -> documents.Document:
    document = dict(documents.status_document(status, call.situation_of(status)))
    if call.arguments.show_manifest:
        document["manifest"] = masked(status.manifest or "")
    if written:
        document["signature_written_to"] = written
    return document


def list_jobs(call: Call) -> int:
    """Show all jobs."""
    if call.arguments.details:
        details = library.list_job_details(application=call.application)
        call.terminal.result(
            job_wording.detail_lines(details),
            [documents.details_document(job) for job in details],
        )
        return ExitCode.DONE
    jobs = library.list_jobs(application=call.application)
    call.terminal.result(
        job_wording.job_lines(jobs), [documents.summary_document(job) for job in jobs]
    )
    return ExitCode.DONE


def get_shipping_label(call: Call) -> int:
    """Show where a label is."""
    label = library.get_shipping_label(
        call.arguments.job_ids,
        manifest_path=call.arguments.manifest,
        application=call.application,
    )
    call.terminal.warn(label.warning)
    call.terminal.result([label.url], documents.label_document(label))
    return ExitCode.DONE


def verify_backup(call: Call) -> int:
    """Verify, and end with what the verdict says."""
    arguments, terminal = call.arguments, call.terminal
    call.offer_cleaning()
    if arguments.password is not None:
        terminal.warn(
            "a password among the arguments can be read by every user of this machine "
            "(ps); better: --password-file, --password-stdin, or being asked"
        )
    seed = arguments.seed
    own_seed = seed is None and arguments.resume is None
    if own_seed:
        seed = call.application.adapters.randomness().seed()
    size = call.application.settings().sample_size
    not_written = None
    shown = ShownFindings(terminal, arguments.all_findings, own_seed)
    try:
        report = _verified(call, seed, size, shown)
    except ReportNotWritten as error:
        report, not_written = error.report, error
    shown.ended(report)
    terminal.result(wording.summary_lines(report), documents.report_document(report))
    if not_written and report.verdict is not Verdict.DIFFERS:
        raise not_written
    if not_written:  # that the backup differs matters more than the missing file
        terminal.fail(not_written)
    elif arguments.report:
        terminal.advise(f"report: {', '.join(arguments.report)}")
    if step := next_step(report, arguments.report):
        terminal.advise(f"next: {step}")
    return of_verdict(report.verdict)


def _sample_size(
    arguments: argparse.Namespace, configured: int | None
) -> library.SampleSize:
    """Return how many files to draw; as many as before where a run is gone on with."""
    if arguments.resume and arguments.sample_size is None:
        return library.AS_BEFORE
    return configured


def _verified(
    call: Call, seed: str | None, size: int | None, shown: ShownFindings
) -> Report:
    arguments = call.arguments
    return library.verify_backup(
        arguments.device,
        bucket=arguments.bucket,
        manifest_path=arguments.manifest,
        target_directory=arguments.target_directory,
        sample_size=_sample_size(arguments, size),
        seed=seed,
        confidence=arguments.confidence,
        max_differing=arguments.max_differing,
        completeness=arguments.completeness,
        whole=arguments.whole,
        strong=arguments.require == "strong",
        exported_at=arguments.exported_at,
        job_id=arguments.job_id,
        export_log=arguments.export_log,
        checksum_reports=arguments.checksum_report,
        download_unverifiable=arguments.download_unverifiable
        or arguments.download_budget is not None,
        download_budget=arguments.download_budget,
        resume=arguments.resume,
        reports=arguments.report,
        all_findings=arguments.all_findings,
        opening=_opening(arguments),
        keys=keys_of(call),
        watch=shown,
        application=call.application,
    )


def _opening(arguments: argparse.Namespace) -> Opening:
    container = arguments.container
    return Opening(
        container=None if container is None else directory_of(container),
        plain=arguments.no_container,
        hidden=arguments.hidden,
        backup_header=arguments.backup_header,
        veracrypt=arguments.veracrypt,
        open_with=OpenWith(arguments.open_with),
        mounting=not arguments.no_mount,
    )


def first_line_given(call: Call) -> str | None:
    """Return the password in the file, or the input, that is named for it, if any.

    Raises:
        InputRefused: It is empty.
    """
    file = call.arguments.password_file
    if file is not None:
        content = content_of(file, "a file with the password")
        line, where = os.fsdecode(content.partition(b"\n")[0].rstrip(b"\r")), file
    elif call.arguments.password_stdin:
        line, where = call.terminal.source.readline().rstrip("\r\n"), "the input"
    else:
        return None
    if not line:
        raise InputRefused(
            f"the password that was given is empty: so is the first line of {where}",
            next_step=f"write the password into the first line of {where}",
        )
    return line


def keys_of(call: Call) -> KeyRing:
    """Take the password from where it was given; otherwise ask when it is needed."""
    arguments, terminal = call.arguments, call.terminal
    password = first_line_given(call)
    if password is None:
        password = arguments.password
    if password is None:
        password = os.environ.get(PASSWORD_VARIABLE)
    if password is None and arguments.manifest:
        manifests = call.application.adapters.manifests()
        manifest = manifests.read(arguments.manifest).selection()
        secret = manifest.truecrypt_password
    else:
        secret = None if password is None else Secret(password)
    return GivenKeys(
        secret,
        keyfiles=tuple(arguments.keyfile),
        pim=arguments.pim,
        ask=terminal.password,
        tell=terminal.warn,
    )


def plan_sample(call: Call) -> int:
    """Say how many files to draw."""
    arguments = call.arguments
    files, share, level = arguments.files, arguments.max_differing, arguments.confidence
    size = library.plan_sample(files, share, confidence=level)
    call.terminal.result(
        [
            f"Draw {size:,} of {files:,} files: if none of them differs, then with "
            f"{percent(level)}% confidence at most {percent(share)}% do."
        ],
        {
            "files": files,
            "max_differing_fraction": share,
            "confidence": level,
            "sample_size": size,
        },
    )
    return ExitCode.DONE


def batch_checksum_manifest(call: Call) -> int:
    """Print a Batch Operations manifest."""
    lines = library.batch_checksum_manifest(call.arguments.report).splitlines()
    if not lines:
        call.terminal.warn("the report calls no object unverifiable")
    call.terminal.result(lines, {"manifest": lines})
    return ExitCode.DONE


def sandbox(call: Call) -> int:
    """Run the sandbox."""
    try:
        import moto.server  # noqa: F401 - is the extra installed?
    except ImportError as error:
        raise InputRefused(
            f"the sandbox is not installed: {error}",
            next_step=f"add it with: {adding_the_sandbox()}",
        ) from error
    from s3export.entrypoints.sandbox.actions import run

    arguments = call.arguments
    return run(
        arguments.action,
        application=call.application,
        terminal=call.terminal,
        device=arguments.device,
        job_id=arguments.job,
        port=arguments.port,
    )
