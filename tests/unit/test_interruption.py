"""INT and TERM reach the program wherever they arrive."""

import contextlib
import signal
import sys
import time
import weakref
from collections.abc import Callable

import pytest
from awscrt.auth import (
    AwsCredentialsProvider,
    AwsSignatureType,
    AwsSigningAlgorithm,
    AwsSigningConfig,
    aws_sign_request,
)
from awscrt.http import HttpHeaders, HttpRequest

from s3export.adapters.interruption import Interrupted, Interruption


class InADestructor:
    """Gets a signal in `__del__`, where Python drops exceptions and prints them."""

    def __del__(self) -> None:
        """Send the signal, and let the handler run."""
        signal.raise_signal(signal.SIGINT)
        time.sleep(0)


def in_a_destructor() -> None:
    """The interpreter drops what a handler raises there."""
    thing = InADestructor()
    del thing


def in_a_weak_reference() -> None:
    """A callback of the interpreter."""
    thing = type("Thing", (), {})()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing
    assert reference() is None


def in_the_signer() -> None:
    """A callback of awscrt's C code, in the way botocore has every request signed."""

    def should_sign_header(name: str) -> bool:
        signal.raise_signal(signal.SIGINT)
        return True

    signing = AwsSigningConfig(
        algorithm=AwsSigningAlgorithm.V4,
        signature_type=AwsSignatureType.HTTP_REQUEST_HEADERS,
        credentials_provider=AwsCredentialsProvider.new_static("key", "secret"),
        region="eu-west-1",
        service="s3",
        should_sign_header=should_sign_header,
    )
    request = HttpRequest("HEAD", "/bucket", HttpHeaders([("Host", "localhost")]))
    aws_sign_request(request, signing).result()


@pytest.mark.parametrize(
    "arrives", [in_a_destructor, in_a_weak_reference, in_the_signer]
)
def test_a_signal_is_not_lost_where_exceptions_are_dropped(
    arrives: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    """It is raised again at once, and nothing of it is printed."""
    interruption = Interruption()
    with pytest.raises(Interrupted, match="SIGINT"), interruption.installed():
        arrives()
        time.sleep(10)
        raise AssertionError("nothing interrupted the sleep")

    assert capfd.readouterr().err == ""


def test_a_signal_that_something_swallowed_silently_can_be_repeated() -> None:
    """Foreign code may clear an exception: the next signal raises a new one."""
    interruption = Interruption()
    with pytest.raises(Interrupted, match="SIGTERM"), interruption.installed():
        with contextlib.suppress(Interrupted):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)


def test_a_second_signal_does_not_disturb_what_unwinds() -> None:
    """What was opened is closed first."""
    interruption = Interruption()
    closed = False
    with pytest.raises(Interrupted, match="SIGINT"), interruption.installed():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGTERM)
            closed = True

    assert closed


def test_a_dropped_signal_waits_for_the_shield() -> None:
    """Raised again only where it does no harm."""
    interruption = Interruption()
    whole = False
    with pytest.raises(Interrupted), interruption.installed():
        in_a_destructor_then = interruption.shield()
        in_a_destructor()
        with in_a_destructor_then:
            deadline = time.monotonic() + 0.2
            while time.monotonic() < deadline:
                time.sleep(0.01)
            whole = True

    assert whole


def test_what_is_no_signal_of_ours_is_printed_as_ever(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Other exceptions that are dropped go to whoever looked at them before."""
    seen: list[object] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda dropped: seen.append(dropped.exc_type)
    try:
        with Interruption().installed():
            thing = type("Bad", (), {"__del__": lambda self: 1 / 0})()
            del thing
        assert sys.unraisablehook is not before
    finally:
        sys.unraisablehook = before

    assert seen == [ZeroDivisionError]
    assert capfd.readouterr().err == ""


def test_afterwards_everything_is_as_it_was() -> None:
    """The handlers and the hook."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.getsignal(number) for number in numbers]
    hook = sys.unraisablehook
    with Interruption().installed():
        pass

    assert [signal.getsignal(number) for number in numbers] == handlers
    assert sys.unraisablehook is hook
