"""What every `BlockDevices` does."""

from typing import Protocol

import pytest

from s3export.domain.backup_layout import TreePath
from s3export.domain.devices import refusals_to_read, refusals_to_write
from s3export.domain.devices.preparation import Preparation
from s3export.domain.errors import DeviceAbsent, DeviceUnreadable
from s3export.domain.ports import BlockDevices

SIGNATURE = TreePath(b"SIGNATURE")


class Arranged(Protocol):
    """Devices under test, with one empty device that may be erased at ``path``."""

    devices: BlockDevices
    path: str


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
