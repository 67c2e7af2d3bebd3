"""What a load needs of a manifest: less than a job of AWS's."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from s3export.domain.backup_layout import directory_of
from s3export.domain.errors import InputRefused, Problem, Severity
from s3export.domain.manifests import rules
from s3export.domain.manifests.checked import SELECTION, CheckedManifest
from s3export.domain.manifests.lints import ANOTHER_DIRECTORY, why_kept
from s3export.domain.manifests.model import Manifest

_LOG = ("logBucket", "logPrefix")
_PASSWORD = "trueCryptPassword"
_RECOVERY = "recoveryDirectory"
USED = (*SELECTION, *_LOG, _PASSWORD)
"""The fields at the top that a load uses."""

_NO_PASSWORD = "no trueCryptPassword is given"
_ELSEWHERE = "give load-device one (--password-file FILE), or say --encrypt none"


def for_load(checked: CheckedManifest) -> CheckedManifest:
    """Return the manifest with the problems alone that a load has with it.

    Errors are what `load-device` refuses or cannot carry out. Addresses, customs,
    serial numbers and what else AWS asks for are of no matter to it.
    """
    found = [each for problem in checked.problems for each in _of_load(problem)]
    manifest = checked.manifest
    if manifest is not None and all(p.rule != rules.KEPT_DIRECTORY.name for p in found):
        found += _kept(checked, manifest)
    if manifest is not None and manifest.truecrypt_password is None:
        rule = rules.PASSWORD_ELSEWHERE
        found.append(checked.problem(rule, _PASSWORD, _NO_PASSWORD, _ELSEWHERE))
    return replace(checked, problems=tuple(sorted(found)))


def selection_for_load(checked: CheckedManifest) -> Manifest:
    """Return the manifest, for what a load takes and where it puts that.

    Raises:
        ManifestRejected: With the problems that are in the way of a load.

    """
    return for_load(checked).selection()


def remarks_for_load(checked: CheckedManifest) -> tuple[Problem, ...]:
    """Return what is to be said of a manifest that a load is about to follow.

    Hints are not, nor a missing password: that is asked for, or refused.

    Raises:
        ManifestRejected: No load can follow it.

    """
    selection_for_load(checked)
    return tuple(
        problem
        for problem in for_load(checked).problems
        if problem.severity is not Severity.HINT
        and problem.rule != rules.PASSWORD_ELSEWHERE.name
    )


def misspelt_password(checked: CheckedManifest) -> str:
    """Return the field that may be trueCryptPassword misspelt; empty for none."""
    return next(
        (
            problem.field
            for problem in checked.problems
            if problem.rule == rules.MISSPELT.name and _is_for(problem, _PASSWORD)
        ),
        "",
    )


def _is_for(problem: Problem, name: str) -> bool:
    return problem.advice == rules.nearly(name)


def _kept(checked: CheckedManifest, manifest: Manifest) -> Iterator[Problem]:
    """Yield what is a warning elsewhere, and may have been silenced as such."""
    with suppress(InputRefused):  # which has been noted
        if message := why_kept(directory_of(manifest.recovery_directory)):
            rule = replace(rules.KEPT_DIRECTORY, severity=Severity.ERROR)
            yield checked.problem(rule, _RECOVERY, message, ANOTHER_DIRECTORY)


def _of_load(problem: Problem) -> Iterator[Problem]:
    section = re.split(r"[.\[]", problem.field)[0]
    match problem.rule:
        case rules.REGIONS.name | rules.NOT_ENCRYPTED.name:
            return
        case rules.MISSPELT.name if section == problem.field:
            if not any(_is_for(problem, name) for name in USED):
                problem = replace(problem, severity=Severity.WARNING)  # passed over
            yield problem
        case rules.PERMISSION.name if section in _LOG:
            yield replace(problem, severity=Severity.WARNING)  # the disk has the log
        case rules.KEPT_DIRECTORY.name:
            yield replace(problem, severity=Severity.ERROR)  # it could not end
        case rules.MISSING.name if section in (*_LOG, _PASSWORD):
            return
        case rules.SPACE.name:
            advice = "load the next one with --continue-from and the disk before it"
            yield replace(problem, advice=advice)
        case _ if section in ("", *USED):
            yield problem
