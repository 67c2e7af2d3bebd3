"""Refusals that a test or a demonstration asked for beforehand.

The codes that no rule of the emulation leads to, such as another's access key at
GetStatus, and those of AWS's front end can be had in this way.
"""

from dataclasses import dataclass
from xml.sax.saxutils import escape

from s3export.entrypoints.sandbox.importexport.exceptions import refused

OPERATIONS = (
    "CreateJob",
    "UpdateJob",
    "CancelJob",
    "GetStatus",
    "ListJobs",
    "GetShippingLabel",
)
_HTTP_ERRORS = range(400, 600)


@dataclass(frozen=True)
class Refusal:
    """An answer that refuses a call, whatever the call asks for.

    Attributes:
        code: As on the wire: botocore's exceptions end in ``Exception``.
    """

    code: str
    http_status: int

    def body(self) -> str:
        """Return the answer, as the Developer Guide's page "Errors" shows it."""
        fault = "Sender" if self.http_status < 500 else "Receiver"
        return (
            '<ErrorResponse xmlns="http://importexport.amazonaws.com/"><Error>'
            f"<Type>{fault}</Type><Code>{escape(self.code)}</Code>"
            "<Message>refused on request</Message></Error>"
            "<RequestId>refused-on-request</RequestId></ErrorResponse>"
        )


class Refusals:
    """Which calls to come are refused, an operation's in the order of asking."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Refusal]] = {name: [] for name in OPERATIONS}

    def ask_for(
        self, operation: str, *, code: str, times: int = 1, http_status: int = 400
    ) -> None:
        """Refuse an operation's next calls; the calls after those are answered."""
        if operation not in self._waiting:
            raise refused("InvalidParameter", f"operation: {', '.join(OPERATIONS)}")
        if http_status not in _HTTP_ERRORS:
            raise refused("InvalidParameter", "http_status is a number from 400 to 599")
        if times < 1:
            raise refused("InvalidParameter", "times is a number from 1 on")
        self._waiting[operation] += [Refusal(code, http_status)] * times

    def next_of(self, operation: str) -> Refusal | None:
        """Take the refusal of a call that has come, if there is one."""
        waiting = self._waiting.get(operation)
        return waiting.pop(0) if waiting else None
