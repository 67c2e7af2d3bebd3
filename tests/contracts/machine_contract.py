"""What every `Machine` and every `AwsAccess` does."""

from s3export.domain.capabilities import CLOCK, CREDENTIALS, S3, TASKS, diagnose
from s3export.domain.ports import AwsAccess, Machine


class MachineContract:
    """Subclass it with a fixture ``machine``."""

    def test_every_part_that_a_task_needs_is_looked_for_once(
        self, machine: Machine
    ) -> None:
        """Those of AWS are the other port's."""
        names = [part.name for part in machine.parts()]
        needed = {name for task in TASKS for way in task.ways for name in way.needs}

        assert needed - {CREDENTIALS, S3, CLOCK} <= set(names)
        assert len(names) == len(set(names))

    def test_what_is_absent_says_what_is_wrong_and_how_it_can_be_had(
        self, machine: Machine
    ) -> None:
        """Nobody is left with a bare no."""
        for part in machine.parts():
            if part.present is False:
                assert part.detail
                assert part.package or part.requirement or part.advice

    def test_the_system_has_a_name(self, machine: Machine) -> None:
        """One line that says where this was looked at."""
        assert machine.name()
        assert "\n" not in machine.name()


class AwsAccessContract:
    """Subclass it with fixtures ``access``, and ``machine`` for the rest."""

    def test_what_is_found_can_be_judged(
        self, access: AwsAccess, machine: Machine
    ) -> None:
        """Whatever the trouble is, a diagnosis comes of it."""
        found = access.look(ask=False)

        made = diagnose(machine.name(), machine.parts(), found)
        assert {part.name for part in made.parts} >= {CREDENTIALS, S3, CLOCK}

    def test_no_more_of_a_key_is_told_than_its_end(self, access: AwsAccess) -> None:
        """Four characters tell one's own keys apart, and no more."""
        assert len(access.look(ask=False).access_key_id) <= 4
