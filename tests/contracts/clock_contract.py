"""What every `Clock` does."""

from datetime import timedelta

import pytest

from s3export.domain.ports import Clock


class ClockContract:
    """Subclass it with a fixture ``clock``."""

    def test_the_time_is_told_in_utc(self, clock: Clock) -> None:
        """It is aware, so that it can be compared with AWS's times."""
        assert clock.now().utcoffset() == timedelta(0)

    def test_the_time_never_goes_back(self, clock: Clock) -> None:
        """A later look gives a time that is not earlier."""
        first = clock.now()

        assert clock.now() >= first

    @pytest.mark.parametrize("seconds", [0.01, 0.05])
    def test_waiting_lets_the_time_pass(self, clock: Clock, seconds: float) -> None:
        """Afterwards it is later by what was waited for, to the millisecond."""
        before = clock.now()

        clock.wait(seconds)

        passed = clock.now() - before
        assert passed >= timedelta(seconds=seconds - 0.001)

    @pytest.mark.parametrize("seconds", [0, -1, -1e9])
    def test_there_is_no_waiting_for_the_past(
        self, clock: Clock, seconds: float
    ) -> None:
        """Nothing or less is waited for no time at all, and time does not go back."""
        before = clock.now()

        clock.wait(seconds)

        assert timedelta(0) <= clock.now() - before < timedelta(seconds=5)
