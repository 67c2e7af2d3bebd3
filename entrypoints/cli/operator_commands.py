"""Commands around the work: each calls the library and shows the result."""

from s3export.adapters.reports import documents
from s3export.entrypoints import library
from s3export.entrypoints.cli import doctor_wording, history_wording
from s3export.entrypoints.cli.commands import Call
from s3export.entrypoints.cli.exit_codes import of_diagnosis, of_history


def doctor(call: Call) -> int:
    """Look at the machine, and end with what its tasks lack."""
    diagnosis = library.examine_machine(
        ask=not call.arguments.offline,
        tasks=call.arguments.tasks,
        application=call.application,
    )
    call.terminal.result(
        doctor_wording.diagnosis_lines(diagnosis),
        documents.diagnosis_document(diagnosis),
    )
    return of_diagnosis(diagnosis)


def history(call: Call) -> int:
    """Show what has ever been verified; differences go before everything."""
    arguments = call.arguments
    parts = library.verification_history(
        arguments.reports,
        confidence=arguments.confidence,
        since=arguments.since,
        passed_over=lambda reason: call.terminal.warn(f"passed over: {reason}"),
    )
    call.terminal.result(
        history_wording.history_lines(parts, arguments.since),
        documents.history_document(parts),
    )
    return of_history(parts)
