"""Commands around the work: each calls the library and shows the result."""

from s3export.adapters.reports import documents
from s3export.entrypoints import library
from s3export.entrypoints.cli import doctor_wording
from s3export.entrypoints.cli.commands import Call
from s3export.entrypoints.cli.exit_codes import of_diagnosis


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
