"""Plan a load, have it confirmed, carry it out, and say what is on the disk."""

from collections.abc import Iterator
from contextlib import contextmanager

from s3export.adapters.reports import documents
from s3export.domain.errors import S3ExportError
from s3export.domain.ports import KeyRing
from s3export.domain.services.create_job import DiskWishes
from s3export.domain.services.load_disk import Encryption, LoadedDisk, LoadPlan
from s3export.domain.services.read_back import ReadBackResult
from s3export.domain.verification import Report
from s3export.entrypoints import library
from s3export.entrypoints.cli import load_wording, wording
from s3export.entrypoints.cli.commands import Call, keys_of, will_be_typed
from s3export.entrypoints.cli.exit_codes import ExitCode, of_verdict

_AGAIN = "run the same command again"


def load_device(call: Call) -> int:
    """Plan, show, confirm, load; then read back and verify, if that is wanted."""
    device = call.arguments.device
    with _when_interrupted(f"nothing on {device} was changed"):
        keys = keys_of(call)
        plan = _agreed(call, keys)
    if plan is None:
        return ExitCode.DONE
    loaded = library.load_device(plan, application=call.application)
    standing = f"{device} is loaded; it was not read again to its end"
    without = ", without --start-over" if call.arguments.start_over else ""
    with _when_interrupted(standing, f"{_AGAIN}{without}"):
        return _ended(call, loaded, keys)


def _agreed(call: Call, keys: KeyRing) -> LoadPlan | None:
    """Plan and show; have it confirmed. ``None`` where that is all."""
    arguments, terminal = call.arguments, call.terminal
    if arguments.dry_run:
        call.offer_cleaning()
    else:
        call.release_what_was_left()
    manifest = arguments.manifest
    for problem in library.remarks_on_load(manifest, application=call.application):
        terminal.warn(f"{manifest}: {problem} [{problem.rule}]")
    plan = _planned(call, keys)
    of_aws = call.application.adapters.object_store().service().startswith("aws")
    planned = list(load_wording.plan_lines(plan, list_prices=of_aws))
    for warning in load_wording.warnings(plan):
        terminal.warn(warning)
    if arguments.dry_run:
        lines = [*planned, "Dry run: nothing was changed."]
        if not plan.resumes and not arguments.job_id:
            job = plan.request.job_id
            lines.append(f"The next run draws another job id; --job-id {job} keeps it")
        terminal.result(lines, documents.load_plan_document(plan))
        return None
    for line in planned:
        terminal.tell(line)
    if not plan.resumes:
        terminal.confirm(
            "Everything on the disk will be lost.",
            plan.facts.name_to_confirm,
            arguments.confirm_device,
        )
    return plan


def _ended(call: Call, loaded: LoadedDisk, keys: KeyRing) -> int:
    """Read again if that is wanted, and say what is on the disk."""
    arguments, terminal = call.arguments, call.terminal
    plan, manifest = loaded.plan, arguments.manifest
    if arguments.read_back or arguments.then_verify:
        done = "" if loaded.result.nothing_left else "Loaded. "
        terminal.tell(f"{done}Reading it again now.")
    if loaded.result.log_error:
        terminal.warn(f"the log did not reach its bucket: {loaded.result.log_error}")
    back = _read_back(call, plan, keys) if arguments.read_back else None
    report = _verified(call, plan, keys) if arguments.then_verify else None
    file = arguments.password_file
    options = [*(("--password-file", file) if file else ())]
    options += load_wording.s3_words(arguments)
    lines = [*load_wording.loaded_lines(loaded, back, manifest, options)]
    if report:
        lines += wording.summary_lines(report)
    else:
        lines.append(load_wording.verify_line(plan, manifest, options))
    terminal.result(lines, documents.loaded_document(loaded, back, report))
    return _code(loaded, back, report)


@contextmanager
def _when_interrupted(standing: str, next_step: str = _AGAIN) -> Iterator[None]:
    """Say what is known of the disk, unless that was said where it is known better."""
    try:
        yield
    except BaseException as interruption:
        known = getattr(interruption, "__notes__", [])
        if not known and not isinstance(interruption, S3ExportError):
            interruption.add_note(standing)
            interruption.add_note(next_step)
        raise


def _planned(call: Call, keys: KeyRing) -> LoadPlan:
    arguments = call.arguments
    return library.plan_load(
        arguments.manifest,
        arguments.device,
        wishes=DiskWishes(
            whole_disk=arguments.whole_disk,
            full_format=arguments.full_format,
            allow_fixed=arguments.allow_fixed_disk or will_be_typed(call),
        ),
        encryption=Encryption(arguments.encrypt),
        job_id=arguments.job_id,
        start_over=arguments.start_over,
        continue_from=arguments.continue_from,
        keys=keys,
        application=call.application,
    )


def _read_back(call: Call, plan: LoadPlan, keys: KeyRing) -> ReadBackResult:
    return library.read_back(plan.facts.path, keys=keys, application=call.application)


def _verified(call: Call, plan: LoadPlan, keys: KeyRing) -> Report:
    terminal = call.terminal
    report = library.verify_backup(
        plan.facts.path,
        manifest_path=call.arguments.manifest,
        sample_size=library.ALL_FILES,
        keys=keys,
        application=call.application,
    )
    for warning in report.warnings:
        terminal.warn(warning)
    return report


def _code(
    loaded: LoadedDisk, back: ReadBackResult | None, report: Report | None
) -> ExitCode:
    verdict = of_verdict(report.verdict) if report else ExitCode.DONE
    result = loaded.result
    wrong = back is not None and (back.wrong or back.files != result.written)
    if wrong or result.lost or verdict is ExitCode.DIFFERS:
        return ExitCode.DIFFERS
    if result.errors or result.next_disk or result.log_error:
        return ExitCode.INCONCLUSIVE
    return verdict
