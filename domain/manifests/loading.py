"""What a load needs of a manifest: less than a job of AWS's."""

import re
from collections.abc import Iterator
from dataclasses import replace

from s3export.domain.errors import Problem, Severity
from s3export.domain.manifests import rules
from s3export.domain.manifests.checked import SELECTION, CheckedManifest

_LOG = ("logBucket", "logPrefix")
_PASSWORD = "trueCryptPassword"
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
    if manifest is not None and manifest.truecrypt_password is None:
        rule = rules.PASSWORD_ELSEWHERE
        found.append(checked.problem(rule, _PASSWORD, _NO_PASSWORD, _ELSEWHERE))
    return replace(checked, problems=tuple(sorted(found)))


def remarks_for_load(checked: CheckedManifest) -> tuple[Problem, ...]:
    """Return what is to be said of a manifest that a load is about to follow.

    Hints are not, nor a missing password: that is asked for, or refused.
    """
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
        case rules.MISSING.name if section in (*_LOG, _PASSWORD):
            return
        case rules.SPACE.name:
            advice = "load the next one with --continue-from and the disk before it"
            yield replace(problem, advice=advice)
        case _ if section in ("", *USED):
            yield problem
