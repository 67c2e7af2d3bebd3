"""What every `Containers` does."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import pytest

from s3export.domain.backup_layout import TreePath
from s3export.domain.containers import AS_IT_COMES, ContainerKey, Opening
from s3export.domain.devices import DeviceFacts
from s3export.domain.errors import (
    DeviceRefused,
    DiskFull,
    FileUnreadable,
    InputRefused,
    PasswordRefused,
    PathUnusable,
)
from s3export.domain.ports import Containers, FileTree, OpenedContainer, WritableTree
from s3export.domain.secret import Secret

ROOT = TreePath(b"")
PATH = TreePath(b"53TX4.tc")
PASSWORD = Secret("correct horse")
KEY = ContainerKey(PASSWORD)
WRONG = ContainerKey(Secret("wrong"))
SIZE = 12 << 20


class Arranged(Protocol):
    """Containers under test, and a tree with room for one."""

    containers: Containers
    tree: WritableTree


def content(tree: FileTree, path: bytes) -> bytes:
    """Return what a small file holds."""
    buffer = bytearray(99)
    with tree.open(TreePath(path)) as file:
        return bytes(buffer[: file.readinto(buffer)])


def fill(inside: WritableTree) -> None:
    """Write two files."""
    inside.write(TreePath(b"bucket/a"), [b"one"])
    inside.write(TreePath(b"bucket/sub/b"), [b"two", b"three"])


class ContainersContract:
    """Subclass it with a fixture ``arranged``."""

    @pytest.fixture
    def made(self, arranged: Arranged) -> Arranged:
        """A container with two files."""
        arranged.containers.create(arranged.tree, PATH, SIZE, PASSWORD, "53TX4")
        with arranged.containers.open_for_writing(arranged.tree, PATH, KEY) as inside:
            fill(inside)
        return arranged

    def test_nothing_is_lacking(self, arranged: Arranged) -> None:
        """What is said before anything is made; and of what is never made, an error."""
        assert arranged.containers.lacking("truecrypt") == ""
        with pytest.raises(ValueError, match="bitlocker"):
            arranged.containers.lacking("bitlocker")

    def test_what_is_put_in_comes_out(self, made: Arranged) -> None:
        """Every file with its content; and what it is, is told."""
        with made.containers.open_file(made.tree, PATH, KEY, AS_IT_COMES) as opened:
            names = opened.tree.names(TreePath(b"bucket"))
            assert content(opened.tree, b"bucket/sub/b") == b"twothree"

        assert list(names) == [b"a", b"sub"]
        assert opened.facts.kind == "truecrypt"
        assert opened.facts.cipher == "aes-xts"
        assert opened.facts.path == PATH.decode()

    def test_more_is_added_to_what_is_there(self, made: Arranged) -> None:
        """Opened a second time it has the files of the first, and takes more."""
        with made.containers.open_for_writing(made.tree, PATH, KEY) as inside:
            assert content(inside, b"bucket/a") == b"one"
            inside.write(TreePath(b"bucket/c"), [b"more"])

        with made.containers.open_file(made.tree, PATH, KEY, AS_IT_COMES) as opened:
            assert list(opened.tree.names(TreePath(b"bucket"))) == [b"a", b"c", b"sub"]
            assert content(opened.tree, b"bucket/c") == b"more"

    def test_it_takes_the_room_that_was_asked_for(self, made: Arranged) -> None:
        """The container is a file of that size, and nothing lies beside it."""
        files = [
            entry for entry in made.tree.entries(ROOT) if entry.path.count(b"53TX4")
        ]

        assert [(e.path, getattr(e, "size_bytes", 0)) for e in files] == [(PATH, SIZE)]

    def test_its_room_is_taken_at_once(self, arranged: Arranged) -> None:
        """Before a byte is put in; what is put in takes none of the disk's."""
        before = arranged.tree.free_bytes()
        arranged.containers.create(arranged.tree, PATH, SIZE, PASSWORD, "x")
        empty = arranged.tree.free_bytes()
        with arranged.containers.open_for_writing(arranged.tree, PATH, KEY) as inside:
            inside.write(TreePath(b"large"), [bytes(1 << 20)] * 5)

        assert before - empty >= SIZE
        assert arranged.tree.free_bytes() == empty

    def test_as_much_room_as_it_tells_can_be_taken(self, arranged: Arranged) -> None:
        """Less some MiB for what the disk needs of its own."""
        room = arranged.containers.make_room(arranged.tree, PATH)
        assert room == pytest.approx(arranged.tree.free_bytes(), rel=0.01)

        size = room - (4 << 20)
        arranged.containers.create(arranged.tree, PATH, size, PASSWORD, "x")

        assert arranged.tree.free_bytes() < (6 << 20)

    def test_sizes_are_rounded_down_to_whole_mib(self, arranged: Arranged) -> None:
        """Some bytes more than 12 MiB are 12 MiB."""
        arranged.containers.create(arranged.tree, PATH, SIZE + 12345, PASSWORD, "x")

        self.test_it_takes_the_room_that_was_asked_for(arranged)

    def test_another_password_is_refused(self, made: Arranged) -> None:
        """And the container can be opened afterwards all the same."""
        with (
            pytest.raises(PasswordRefused),
            made.containers.open_file(made.tree, PATH, WRONG, AS_IT_COMES),
        ):
            pytest.fail("it opened")
        with (
            pytest.raises(PasswordRefused),
            made.containers.open_for_writing(made.tree, PATH, WRONG),
        ):
            pytest.fail("it opened")

        self.test_what_is_put_in_comes_out(made)

    def test_a_container_that_is_not_there_is_an_error(self, made: Arranged) -> None:
        """As for any file of the tree."""
        nowhere = TreePath(b"none.tc")
        with (
            pytest.raises(FileUnreadable),
            made.containers.open_file(made.tree, nowhere, KEY, AS_IT_COMES),
        ):
            pytest.fail("it opened")
        with (
            pytest.raises(FileUnreadable),
            made.containers.open_for_writing(made.tree, nowhere, KEY),
        ):
            pytest.fail("it opened")

    def test_it_is_written_to_once_at_a_time(self, made: Arranged) -> None:
        """Two file systems over the same bytes would destroy it."""
        with (
            made.containers.open_for_writing(made.tree, PATH, KEY) as inside,
            pytest.raises(DeviceRefused, match="in use"),
        ):
            inside.write(TreePath(b"first"), [b"first"])
            with made.containers.open_for_writing(made.tree, PATH, KEY):
                pytest.fail("it opened twice")

        self.test_what_is_put_in_comes_out(made)

    def test_what_was_written_before_an_error_is_there(self, made: Arranged) -> None:
        """The caller's error goes on, and the container is closed in order."""
        with (
            pytest.raises(RuntimeError),
            made.containers.open_for_writing(made.tree, PATH, KEY) as inside,
        ):
            inside.write(TreePath(b"before"), [b"before"])
            raise RuntimeError

        with made.containers.open_file(made.tree, PATH, KEY, AS_IT_COMES) as opened:
            assert content(opened.tree, b"before") == b"before"

    def test_a_full_container_is_full_and_not_broken(self, made: Arranged) -> None:
        """Files that do not fit are refused, and what fitted is there."""
        with (
            made.containers.open_for_writing(made.tree, PATH, KEY) as inside,
            pytest.raises(DiskFull),
        ):
            inside.write(TreePath(b"too large"), [bytes(1 << 20)] * 13)

        self.test_what_is_put_in_comes_out(made)

    def test_it_is_mounted_or_not_written_to(self, made: Arranged) -> None:
        """Whoever forbids mounting cannot write."""
        opening = Opening(mounting=False)
        with (
            pytest.raises(InputRefused, match="mounted"),
            made.containers.open_for_writing(made.tree, PATH, KEY, opening),
        ):
            pytest.fail("it opened")

    def test_nothing_that_is_there_is_replaced(self, made: Arranged) -> None:
        """A second container of the same name is refused, and the first is whole."""
        with pytest.raises(PathUnusable):
            made.containers.create(made.tree, PATH, SIZE, PASSWORD, "x")

        self.test_what_is_put_in_comes_out(made)

    @pytest.mark.parametrize(
        ("size", "password", "error"),
        [
            (1 << 50, "pw", DiskFull),
            (1 << 20, "pw", DiskFull),
            (SIZE, "", InputRefused),
            (SIZE, "x" * 65, InputRefused),
        ],
    )
    def test_what_cannot_be_made_is_not_begun(
        self, arranged: Arranged, size: int, password: str, error: type[Exception]
    ) -> None:
        """Too large, too small, and passwords that TrueCrypt would not take."""
        with pytest.raises(error):
            arranged.containers.create(arranged.tree, PATH, size, Secret(password), "x")

        assert not [n for n in arranged.tree.names(ROOT) if b"53TX4" in n]


class ArrangedDevice(Protocol):
    """Containers under test, and a device that may be erased."""

    containers: Containers

    def facts(self) -> DeviceFacts:
        """Return what is to be seen of the device now."""


Open = Callable[[ContainerKey], AbstractContextManager[FileTree]]


class DeviceContainersContract:
    """Of containers that fill a device; subclass it with a fixture ``arranged``."""

    @pytest.fixture
    def made(self, arranged: ArrangedDevice) -> ArrangedDevice:
        """A container with two files."""
        arranged.containers.create_device(arranged.facts(), PASSWORD, "53TX4")
        with arranged.containers.open_device_for_writing(
            arranged.facts(), KEY
        ) as inside:
            fill(inside)
        return arranged

    @staticmethod
    @contextmanager
    def opened(made: ArrangedDevice) -> Iterator[OpenedContainer]:
        """Open it for reading."""
        with made.containers.open_device(made.facts(), KEY, AS_IT_COMES) as opened:
            yield opened

    def test_nothing_is_lacking(self, arranged: ArrangedDevice) -> None:
        """What is said before anything is erased."""
        assert arranged.containers.lacking("luks2") == ""

    def test_what_is_put_in_comes_out(self, made: ArrangedDevice) -> None:
        """Every file with its content; and what it is, is told."""
        with self.opened(made) as opened:
            assert content(opened.tree, b"bucket/sub/b") == b"twothree"
            assert opened.facts.kind == "luks"

    def test_more_is_added_to_what_is_there(self, made: ArrangedDevice) -> None:
        """Opened a second time it has the files of the first, and takes more."""
        with made.containers.open_device_for_writing(made.facts(), KEY) as inside:
            assert content(inside, b"bucket/a") == b"one"
            inside.write(TreePath(b"bucket/c"), [b"more"])

        with self.opened(made) as opened:
            assert list(opened.tree.names(TreePath(b"bucket"))) == [b"a", b"c", b"sub"]

    def test_another_password_is_refused(self, made: ArrangedDevice) -> None:
        """For writing as for reading."""
        with (
            pytest.raises(PasswordRefused),
            made.containers.open_device_for_writing(made.facts(), WRONG),
        ):
            pytest.fail("it opened")

        self.test_what_is_put_in_comes_out(made)

    def test_it_is_written_to_once_at_a_time(self, made: ArrangedDevice) -> None:
        """The second one is refused."""
        facts = made.facts()
        with (
            made.containers.open_device_for_writing(facts, KEY),
            pytest.raises(DeviceRefused, match="in use"),
            made.containers.open_device_for_writing(facts, KEY),
        ):
            pytest.fail("it opened twice")

        self.test_what_is_put_in_comes_out(made)

    @pytest.mark.parametrize("password", ["", "two\nlines"])
    def test_a_password_that_cannot_be_erases_nothing(
        self, made: ArrangedDevice, password: str
    ) -> None:
        """What was there is there."""
        with pytest.raises(InputRefused):
            made.containers.create_device(made.facts(), Secret(password), "x")

        self.test_what_is_put_in_comes_out(made)
