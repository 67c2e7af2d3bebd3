"""Exit codes: what scripts rely on."""

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING

from s3export.domain.errors import (
    AwsError,
    ConfirmationMissing,
    DeviceError,
    InputRefused,
    S3ExportError,
)

if TYPE_CHECKING:
    from s3export.domain.capabilities import Diagnosis
    from s3export.domain.history import ContentHistory
    from s3export.domain.verification import Verdict


class ExitCode(enum.IntEnum):
    """What the program ends with."""

    DONE = 0
    DIFFERS = 1
    USAGE = 2
    INCONCLUSIVE = 3
    INPUT = 4
    DEVICE = 5
    AWS = 6
    BUG = 70


TABLE = """\
exit codes:
  0    done; verify-backup: nothing critical was found, all drawn could be
       verified
  1    verify-backup: the backup differs from S3; load-device: what was read
       back is not what was written, or a file of before is gone; history: a
       run found differences
  2    wrong usage
  3    verify-backup: nothing differs, but something drawn could not be
       verified; load-device: something that is selected is not on the disk,
       which may be full; history: nothing can be said of all runs together
  4    input refused: manifest, settings, report file, or no confirmation; or
       the output cannot be written (the disk is full)
  5    device or container: refused for safety, absent, busy, unreadable as a
       whole, or a system tool is missing; doctor: something that a task needs
       is missing
  6    AWS refused or cannot be reached; doctor: S3 cannot be asked
  70   a bug in s3export
  130  interrupted (143: terminated); everything mounted or attached was
       released
  141  whoever read the output has closed it, as head does
"""


def of_verdict(verdict: "Verdict") -> ExitCode:
    """Return the exit code of a verification."""
    from s3export.domain.verification import Verdict

    match verdict:
        case Verdict.VERIFIED:
            return ExitCode.DONE
        case Verdict.DIFFERS:
            return ExitCode.DIFFERS
        case Verdict.INCONCLUSIVE:
            return ExitCode.INCONCLUSIVE


def of_history(parts: "Sequence[ContentHistory]") -> ExitCode:
    """Return the exit code of a history: of differences that were not put right."""
    if any(part.stands for part in parts):
        return ExitCode.DIFFERS
    if any(part.bound is None for part in parts if part.current):
        return ExitCode.INCONCLUSIVE
    return ExitCode.DONE


def of_diagnosis(diagnosis: "Diagnosis") -> ExitCode:
    """Return the exit code of looking at a machine: what lacks here goes first."""
    from s3export.domain.capabilities import PartKind

    lacking = [part for ability in diagnosis.failing for part in ability.lacking]
    if not lacking:
        return ExitCode.DONE
    if all(part.kind is PartKind.AWS for part in lacking):
        return ExitCode.AWS
    return ExitCode.DEVICE


def of_error(error: S3ExportError) -> ExitCode:
    """Return the exit code of an error."""
    match error:
        case InputRefused() | ConfirmationMissing():
            return ExitCode.INPUT
        case DeviceError():
            return ExitCode.DEVICE
        case AwsError():
            return ExitCode.AWS
        case _:
            return ExitCode.BUG


def of_signal(signum: int) -> int:
    """Return the exit code of a program that ended because of a signal."""
    return 128 + signum
