"""What every `BlockDevices` does."""

from dataclasses import replace
from typing import Protocol

import pytest

from s3export.domain.backup_layout import TreePath
from s3export.domain.devices import DeviceKind, refusals_to_read, refusals_to_write
from s3export.domain.devices.preparation import DiskState, Preparation
from s3export.domain.errors import DeviceAbsent, DeviceChanged, DeviceUnreadable
from s3export.domain.ports import BlockDevices

SIGNATURE = TreePath(b"SIGNATURE")


class Arranged(Protocol):
    """Devices under test, with one empty device that may be erased at ``path``."""

    devices: BlockDevices
    path: str

    def content(self) -> object:
        """Return what is equal as long as no byte of the device has changed."""


class BlockDevicesContract:
    """Subclass it with a fixture ``arranged``."""

    def test_a_device_that_is_not_there_is_absent(self, arranged: Arranged) -> None:
        """The error names it."""
        with pytest.raises(DeviceAbsent, match="no-such-device"):
            arranged.devices.inspect("/dev/no-such-device")

    def test_an_empty_device_may_be_written_to(self, arranged: Arranged) -> None:
        """Nothing speaks against it, and it has a size."""
        facts = arranged.devices.inspect(arranged.path)

        assert refusals_to_write(facts) == ()
        assert facts.size_bytes >= 16 << 20

    def test_an_empty_device_cannot_be_opened(self, arranged: Arranged) -> None:
        """There is no file system on it."""
        facts = arranged.devices.inspect(arranged.path)

        with pytest.raises(DeviceUnreadable), arranged.devices.open_read_only(facts):
            pass

    def test_what_can_be_written_to_is_told_without_writing(
        self, arranged: Arranged
    ) -> None:
        """An empty device cannot, a prepared one can."""
        devices = arranged.devices
        facts = devices.inspect(arranged.path)
        with pytest.raises(DeviceUnreadable):
            devices.check_writable(facts)
        devices.prepare(facts, Preparation("label"))
        before = arranged.content()

        devices.check_writable(devices.inspect(arranged.path))

        assert arranged.content() == before

    def test_the_room_beside_a_device_is_a_number_or_not_told(
        self, arranged: Arranged
    ) -> None:
        """Of disks it is none."""
        facts = arranged.devices.inspect(arranged.path)

        room = arranged.devices.room_beside(facts)

        assert room is None or (facts.kind is DeviceKind.IMAGE and room >= 0)

    def test_a_prepared_device_takes_files_and_gives_them_back(
        self, arranged: Arranged
    ) -> None:
        """What was written before it was released is there when it is opened anew."""
        devices = arranged.devices
        devices.prepare(devices.inspect(arranged.path), Preparation("label"))
        facts = devices.inspect(arranged.path)
        with devices.open_for_writing(facts) as tree:
            tree.replace(SIGNATURE, b"signature")
            tree.write(TreePath(b"bucket/key"), [b"content"])

        with devices.open_read_only(facts) as opened:
            assert SIGNATURE in opened.names(TreePath(b""))
            with opened.open(TreePath(b"bucket/key")) as file:
                buffer = bytearray(99)
                assert buffer[: file.readinto(buffer)] == b"content"

    def test_preparing_again_forgets_what_was_there(self, arranged: Arranged) -> None:
        """The device is erased."""
        devices = arranged.devices
        for _ in range(2):
            devices.prepare(devices.inspect(arranged.path), Preparation("label"))
            with devices.open_for_writing(devices.inspect(arranged.path)) as tree:
                assert SIGNATURE not in tree.names(TreePath(b""))
                tree.replace(SIGNATURE, b"signature")

    @pytest.mark.parametrize("whole_disk", [False, True])
    def test_the_states_of_a_disk_are_told_in_order(
        self, arranged: Arranged, whole_disk: bool
    ) -> None:
        """The first before a byte is written, the last when all of them are."""
        devices = arranged.devices
        facts = devices.inspect(arranged.path)
        before, told = arranged.content(), list[tuple[DiskState, bool]]()

        devices.prepare(
            facts,
            Preparation("label", whole_disk=whole_disk),
            lambda state: told.append((state, arranged.content() == before)),
        )

        with_table = not whole_disk and facts.kind is not DeviceKind.PARTITION
        states = [DiskState.BEING_ERASED]
        states += [DiskState.PARTITIONED] if with_table else []
        states += [DiskState.BEING_FORMATTED, DiskState.FORMATTED]
        assert [state for state, _ in told] == states
        assert told[0] == (DiskState.BEING_ERASED, True)
        assert told[-1] == (DiskState.FORMATTED, False)

    def test_a_disk_as_a_whole_takes_files(self, arranged: Arranged) -> None:
        """A file system without a partition table around it is opened as well."""
        devices = arranged.devices
        facts = devices.inspect(arranged.path)
        devices.prepare(facts, Preparation("label", whole_disk=True))

        with devices.open_for_writing(devices.inspect(arranged.path)) as tree:
            tree.replace(SIGNATURE, b"signature")
        facts = devices.inspect(arranged.path)
        with devices.open_read_only(facts) as opened:
            assert SIGNATURE in opened.names(TreePath(b""))
        assert "ext4" in facts.signatures

    @pytest.mark.parametrize(
        "label", ["x" * 40, "\u00e9" * 9, "a" + "\U0001f4be" * 4, ""]
    )
    def test_a_label_of_any_length_is_taken(
        self, arranged: Arranged, label: str
    ) -> None:
        """Of a longer one as many whole characters as fit are kept."""
        devices = arranged.devices
        devices.prepare(devices.inspect(arranged.path), Preparation(label))

        with devices.open_for_writing(devices.inspect(arranged.path)) as tree:
            tree.replace(SIGNATURE, b"signature")

    def test_a_backup_changes_nothing_on_the_device(self, arranged: Arranged) -> None:
        """It has a path, and each one its own."""
        facts = arranged.devices.inspect(arranged.path)
        before = arranged.content()

        first = arranged.devices.back_up(facts)
        second = arranged.devices.back_up(facts)

        assert first and second and first != second
        assert arranged.content() == before

    def test_a_device_that_is_held_can_be_backed_up_and_prepared(
        self, arranged: Arranged
    ) -> None:
        """Holding it gives what is seen now, and stands in no tool's way."""
        devices = arranged.devices
        facts = devices.inspect(arranged.path)

        with devices.hold(facts) as now:
            assert now.identity() == facts.identity()
            assert refusals_to_write(now) == ()
            devices.back_up(now)
            devices.prepare(now, Preparation("label"))
            with devices.open_for_writing(now) as tree:
                tree.replace(SIGNATURE, b"signature")

        assert refusals_to_write(devices.inspect(arranged.path)) == ()

    @pytest.mark.parametrize("change", ["size_bytes", "serial", "number", "sequence"])
    def test_another_device_than_the_one_judged_is_not_held(
        self, arranged: Arranged, change: str
    ) -> None:
        """By size, serial, number or arrival it is another; nothing is changed."""
        facts = arranged.devices.inspect(arranged.path)
        other: dict[str, int | str] = {"size_bytes": 1 << 40, "sequence": 1 << 40}
        before = arranged.content()

        with (
            pytest.raises(DeviceChanged, match=arranged.path),
            arranged.devices.hold(
                replace(facts, **{change: other.get(change, "another")})  # type: ignore[arg-type]
            ),
        ):
            pass

        assert arranged.content() == before

    def test_what_is_raised_while_it_is_held_passes_through(
        self, arranged: Arranged
    ) -> None:
        """And it can be held again."""
        facts = arranged.devices.inspect(arranged.path)

        with pytest.raises(KeyboardInterrupt), arranged.devices.hold(facts):
            raise KeyboardInterrupt
        with arranged.devices.hold(facts):
            pass

    def test_disks_are_listed_as_they_are_inspected(self, arranged: Arranged) -> None:
        """A disk is among them with the same facts; anything else is not."""
        facts = arranged.devices.inspect(arranged.path)
        before = arranged.content()

        listed = {disk.path: disk for disk in arranged.devices.disks()}

        assert (arranged.path in listed) == (facts.kind is DeviceKind.DISK)
        assert listed.get(arranged.path, facts) == facts
        assert arranged.content() == before

    def test_a_device_in_use_is_seen_to_be_in_use(self, arranged: Arranged) -> None:
        """While it is open neither reading nor writing by others is allowed."""
        devices = arranged.devices
        devices.prepare(devices.inspect(arranged.path), Preparation("label"))
        facts = devices.inspect(arranged.path)

        for opening in (devices.open_read_only, devices.open_for_writing):
            with opening(facts):
                seen = devices.inspect(arranged.path)
                assert refusals_to_read(seen)
                assert refusals_to_write(seen)
            assert refusals_to_write(devices.inspect(arranged.path)) == ()

    def test_a_failure_while_it_is_open_releases_it(self, arranged: Arranged) -> None:
        """Whatever is raised inside passes through, and the device is free."""
        devices = arranged.devices
        devices.prepare(devices.inspect(arranged.path), Preparation("label"))
        facts = devices.inspect(arranged.path)

        for opening in (devices.open_read_only, devices.open_for_writing):
            with pytest.raises(KeyboardInterrupt), opening(facts):
                raise KeyboardInterrupt

        assert refusals_to_write(devices.inspect(arranged.path)) == ()

    def test_nothing_is_left_over(self, arranged: Arranged) -> None:
        """A run that was not killed leaves nothing behind."""
        assert list(arranged.devices.leftovers()) == []
