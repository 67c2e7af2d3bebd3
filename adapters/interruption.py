"""INT and TERM as an exception, raised where it does no harm, and never lost."""

import signal
import sys
import threading
import time
import weakref
from _thread import start_new_thread
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

    Python drops what a handler raises while a destructor, a callback of a weak
    reference, or a callback of foreign C code runs (the signer of awscrt calls one for
    each header), and goes on as if nothing had happened. It tells
    `sys.unraisablehook`: what was dropped is sent again.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._pending = 0
        self._unwinding: weakref.ref[Interrupted] | None = None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals; from the main thread only."""
        signals = (signal.SIGINT, signal.SIGTERM)
        hook_before = sys.unraisablehook

        def hook(dropped: "sys.UnraisableHookArgs") -> None:
            if isinstance(dropped.exc_value, Interrupted):
                self._again(dropped.exc_value.signum)
            else:
                hook_before(dropped)

        before = {number: signal.signal(number, self._handle) for number in signals}
        sys.unraisablehook = hook
        try:
            yield
        finally:
            sys.unraisablehook = hook_before
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
        # A dead one was swallowed: it unwinds nothing.
        if self._unwinding is not None and self._unwinding() is not None:
            return
        self._pending = signum
        if not self._depth:
            self._raise()

    def _raise(self) -> None:
        interrupted, self._pending = Interrupted(self._pending), 0
        self._unwinding = weakref.ref(interrupted)
        try:
            raise interrupted
        finally:
            del interrupted  # or the frame and the exception keep each other alive

    def _again(self, signum: int) -> None:
        """Send a signal to the main thread, a little later.

        By the bare call: `threading` has locks, and the main thread may hold one.
        """
        self._unwinding = None
        main = threading.main_thread().ident
        if main is not None:
            start_new_thread(_later, (main, signum))


def _later(thread: int, signum: int) -> None:
    time.sleep(0.01)
    signal.pthread_kill(thread, signum)
