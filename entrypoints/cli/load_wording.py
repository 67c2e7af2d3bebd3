"""Loads in words, for people."""

import argparse
import shlex
from collections.abc import Iterator, Sequence

from s3export.domain.counting import counted
from s3export.domain.devices import describe
from s3export.domain.services.load_device import LoadResult
from s3export.domain.services.load_disk import Encryption, LoadedDisk, LoadPlan
from s3export.domain.services.load_survey import LoadSurvey
from s3export.domain.services.read_back import ReadBackResult
from s3export.domain.sizes import size
from s3export.entrypoints.cli.terminal import harmless

_S3_OPTIONS = (
    "config",
    "profile",
    "region",
    "endpoint_url",
    "request_payer",
    "sse_c_key_file",
)

_WORTH_TELLING = 10.0
"""Seconds: what takes less is measured on too few bytes."""


def plan_lines(plan: LoadPlan, *, list_prices: bool) -> Iterator[str]:
    """Say what load-device is about to do, and what AWS charges for it if so."""
    facts = plan.facts
    yield f"Disk: {harmless(facts.path)}, {harmless(describe(facts))}"
    if facts.by_id:
        yield f"  also called: {harmless(facts.by_id)}"
    for caution in plan.cautions():
        yield f"  {harmless(caution)}"
    yield from _survey_lines(plan.survey, list_prices=list_prices)
    for number, step in enumerate(plan.steps(), 1):
        yield f"  {number}. {harmless(step)}"


def _survey_lines(survey: LoadSurvey, *, list_prices: bool) -> Iterator[str]:
    yield (f"Selected: {counted(survey.objects, 'object')}, {size(survey.size_bytes)}")
    disks, first = len(survey.shares), survey.first
    taken = f"{counted(first.objects, 'object')}, {size(first.size_bytes)}"
    if survey.too_large:
        large = survey.too_large[0]
        on = f" on {disks} disks of this size" if disks > 1 else ""
        yield (
            f"  they do NOT fit, as far as reckoned: the load ends after "
            f"{counted(survey.fitting, 'object')}{on}, before {large.key!r} of "
            f"{size(large.size_bytes)}, which needs a larger disk"
        )
        if disks > 1:
            yield f"  the first disk takes {taken}"
    elif disks > 1:
        yield (
            f"  {disks} disks of this size are needed, as far as reckoned; the first "
            f"takes {taken}"
        )
    elif disks:
        yield "  they fit on the disk, as far as reckoned"
    seconds = survey.seconds
    if seconds is not None and survey.bytes_a_second and seconds >= _WORTH_TELLING:
        rate = size(int(survey.bytes_a_second))
        yield (
            f"  about {duration(seconds)} at the {rate} a "
            "second that the first objects came with"
        )
    if list_prices:
        part = "" if first.objects == survey.objects else f" of {taken},"
        yield (
            f"  requests and transfer{part} cost about {survey.usd:,.2f} USD at the "
            "list prices of AWS's us-east-1"
        )


def warnings(plan: LoadPlan) -> Iterator[str]:
    """Say what will not be on the disk."""
    survey = plan.survey
    probe = survey.probe
    if probe.trouble:
        yield (
            f"{probe.unread:,} of the {counted(probe.objects, 'object')} tried could "
            f"not be read: {harmless(probe.trouble.message)}"
        )
    if survey.log_refused:
        yield (
            f"the log will be on the disk alone: {harmless(survey.log_refused)}; allow "
            "s3:PutObject on the manifest's logBucket"
        )
    if survey.archived:
        named = ", ".join(survey.archived_names[:3])
        yield (
            f"{counted(survey.archived, 'object')} in an archive (such as {named}) "
            "must be restored first (aws s3api restore-object); they will be errors in "
            "the log"
        )


def loaded_lines(
    loaded: LoadedDisk,
    back: ReadBackResult | None,
    manifest: str,
    options: Sequence[str] = (),
) -> Iterator[str]:
    """Say what is on the disk now, and how the next one begins, if it is full.

    Args:
        options: What the password comes by, and S3 is asked with (`s3_words`): the
            command that goes on has them, too.
    """
    plan, result = loaded.plan, loaded.result
    disk = harmless(plan.facts.path)
    all_of_them = f"{counted(result.written, 'object')}, {size(result.size_bytes)}"
    if result.nothing_left:
        yield (
            f"Nothing was left to load: job {plan.request.job_id} was loaded onto "
            f"{disk} before, {all_of_them}"
        )
    else:
        yield f"Loaded {all_of_them}, onto {disk}, as job {plan.request.job_id}"
    yield from _taken_over_lines(result, was_read=bool(back))
    then = bool(result.nothing_left or result.lost or (back and back.wrong))
    for kind, many in sorted(result.evidence.items()):
        said = "equal to S3 by" if kind != "none" else "written; S3 offers no proof:"
        when = " when they were written" if then and kind != "none" else ""
        yield f"  {many:>9,}  {'were ' if when else ''}{said} {kind}{when}"
    if result.recovered:
        yield (
            f"  {result.recovered:>9,}  of them in the recovery directory; the log "
            "says which"
        )
    for code, many in sorted(result.failed.items()):
        yield f"  {many:>9,}  NOT on the disk: {code}"
    for trouble in result.troubles:
        name = f"s3://{trouble.bucket}/{trouble.key}"
        yield f"  {harmless(name)}: {trouble.code}: {harmless(trouble.detail)}"
    if loaded.saved:
        yield f"The disk's old partition table and headers are in {loaded.saved}"
    if back:
        yield from _read_back_lines(back, result.written)
    inside = plan.encryption is Encryption.TRUECRYPT
    where = f" in {plan.request.job_id}.tc" if inside else ""
    log = harmless(plan.request.log_path.decode())
    yield f"Log: /{log} on the disk{where}{_in_bucket(loaded)}"
    if result.next_disk:
        begin = result.next_disk
        yield (
            f"The disk is FULL. The next one begins with operation "
            f"{begin.operation + 1}, beginMarker: {harmless(begin.begin_marker)!r}"
        )
        log = plan.facts.path
        if _in_bucket(loaded):
            log = f"s3://{plan.request.log_bucket}/{plan.request.log_key}"
        large = plan.survey.too_large
        if large and result.settled == plan.survey.fitting:
            yield (
                f"  it begins with {large[0].key!r} of {size(large[0].size_bytes)}, "
                "which fits on no disk of this size: a LARGER one is needed"
            )
        words = ["load-device", manifest, "DEVICE", *_disk_words(plan), *options]
        words += ["--continue-from", log]
        yield f"  next: {harmless(shlex.join(['s3export', *words]))}"
    if result.errors:
        lacks = counted(result.errors, "object")
        yield f"NOT complete: {lacks} could not be written; the log says which"
    if result.log_error:
        without = " without --start-over" if plan.wishes.start_over else ""
        yield (
            f"The log did not reach s3://{plan.request.log_bucket}: "
            f"{harmless(result.log_error)}; the same command{without} sends it again"
        )


def s3_words(given: argparse.Namespace) -> Iterator[str]:
    """Return the options of a call that decide how S3 is asked, as they were given.

    What comes from the environment or a file of settings comes from there again.
    """
    for name in _S3_OPTIONS:
        value = getattr(given, name, None)
        if value is not None:
            yield f"--{name.replace('_', '-')}"
            if value is not True:
                yield value


def _disk_words(plan: LoadPlan) -> Iterator[str]:
    """Return the options that make another disk one like this."""
    if plan.encryption is not Encryption.TRUECRYPT:
        yield from ("--encrypt", plan.encryption.value)
    if plan.wishes.disk.whole_disk:
        yield "--whole-disk"
    if plan.wishes.disk.full_format:
        yield "--full-format"


def _taken_over_lines(result: LoadResult, *, was_read: bool) -> Iterator[str]:
    """Say what is known of the files of earlier runs."""
    if result.taken_over and not result.nothing_left:
        yield f"  {result.taken_over:>9,}  of them settled by earlier runs"
    if result.restored:
        yield (
            f"  {result.restored:>9,}  of them missing, or of another size than was "
            "written: loaded again"
        )
    if result.lost:
        yield (
            f"  {result.lost:>9,}  of them NOT as written, and not to be had again "
            "(--start-over loads all anew)"
        )
    if result.nothing_left and not was_read:
        yield "  their sizes were looked at; the files were NOT read again"


def verify_line(plan: LoadPlan, manifest: str, options: Sequence[str]) -> str:
    """Name the command that verifies the disk.

    Args:
        options: As in `loaded_lines`.
    """
    words = ["verify-backup", plan.facts.path, "--manifest", manifest, *options]
    return f"Verify it: {shlex.join(['s3export', *words, '--sample-size', 'all'])}"


_FAULTY = "  the disk, its cable or its enclosure is faulty: load another disk"


def _read_back_lines(back: ReadBackResult, written: int) -> Iterator[str]:
    files = counted(back.files, "file")
    if back.files != written:
        yield f"Read back {files} of the {written:,} written: NOT all is there"
        yield _FAULTY
        return
    if back.wrong and back.wrong == back.absent:
        yield f"Read back {files}: {back.wrong:,} are NOT there as regular files"
        yield "  they were removed or replaced since: --start-over loads all anew"
        yield from _wrong_lines(back)
        return
    if not back.wrong:
        yield f"Read back {files}, {size(back.size_bytes)}: all are as written"
        return
    yield f"Read back {files}: {back.wrong:,} are NOT as written"
    yield _FAULTY
    yield from _wrong_lines(back)


def _wrong_lines(back: ReadBackResult) -> Iterator[str]:
    for entry, wrong in back.named:
        yield f"  /{harmless(entry.file.decode('utf-8', 'replace'))}: {harmless(wrong)}"


def _in_bucket(loaded: LoadedDisk) -> str:
    request = loaded.plan.request
    if not request.log_bucket or loaded.result.log_error:
        return ""
    return f", and {harmless(f's3://{request.log_bucket}/{request.log_key}')}"


def duration(seconds: float) -> str:
    """Return a time in the two largest units that it has."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"
