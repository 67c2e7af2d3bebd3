"""INT and TERM as an exception, raised where it does no harm."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(BaseException):
    """INT or TERM arrived. Not an `Exception`: nothing on the way may swallow it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class Interruption:
    """Turns INT and TERM into `Interrupted`, but not within `shield`.

    Between attaching a device and remembering to detach it there must be no exception;
    `shield` holds it back until the step is whole. A second signal is held back as
    long as the first one's exception unwinds what was opened.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._pending = 0
        self._raised = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals; from the main thread only."""
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._handle) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Hold the exception back until the block is left."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._pending and not self._depth:
            self._raise()

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._raised:
            return
        self._pending = signum
        if not self._depth:
            self._raise()

    def _raise(self) -> None:
        signum, self._pending = self._pending, 0
        self._raised = True
        raise Interrupted(signum)
