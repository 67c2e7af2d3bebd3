"""What every `Containers` does."""

from typing import Protocol

import pytest

from s3export.domain.backup_layout import TreePath
from s3export.domain.containers import AS_IT_COMES, ContainerKey
from s3export.domain.errors import DiskFull, FileUnreadable, PasswordRefused
from s3export.domain.ports import Containers, WritableTree
from s3export.domain.secret import Secret

PATH = TreePath(b"53TX4.tc")
PASSWORD = Secret("correct horse")
SIZE = 12 << 20


class Arranged(Protocol):
    """Containers under test, and a tree with room for one."""

    containers: Containers
    tree: WritableTree


class ContainersContract:
    """Subclass it with a fixture ``arranged``."""

    @pytest.fixture
    def made(self, arranged: Arranged) -> Arranged:
        """A container with two files."""
        with arranged.containers.create(
            arranged.tree, PATH, SIZE, PASSWORD, "53TX4"
        ) as inside:
            inside.write(TreePath(b"bucket/a"), [b"one"])
            inside.write(TreePath(b"bucket/sub/b"), [b"two", b"three"])
        return arranged

    def test_what_is_put_in_comes_out(self, made: Arranged) -> None:
        """Every file with its content; and what it is, is told."""
        with made.containers.open_file(
            made.tree, PATH, ContainerKey(PASSWORD), AS_IT_COMES
        ) as opened:
            content = bytearray(8)
            with opened.tree.open(TreePath(b"bucket/sub/b")) as file:
                assert file.readinto(content) == 8
            names = opened.tree.names(TreePath(b"bucket"))

        assert content == b"twothree"
        assert list(names) == [b"a", b"sub"]
        assert opened.facts.kind == "truecrypt"
        assert opened.facts.cipher == "aes-xts"
        assert opened.facts.path == PATH.decode()

    def test_it_takes_the_room_that_was_asked_for(self, made: Arranged) -> None:
        """The container is a file of that size."""
        (entry,) = [e for e in made.tree.entries(TreePath(b"")) if e.path == PATH]

        assert getattr(entry, "size_bytes", 0) == SIZE

    def test_another_password_is_refused(self, made: Arranged) -> None:
        """And the container can be opened afterwards all the same."""
        wrong = ContainerKey(Secret("wrong"))
        with (
            pytest.raises(PasswordRefused),
            made.containers.open_file(made.tree, PATH, wrong, AS_IT_COMES),
        ):
            pytest.fail("it opened")

        self.test_what_is_put_in_comes_out(made)

    def test_a_container_that_is_not_there_is_an_error(self, made: Arranged) -> None:
        """As for any file of the tree."""
        nowhere = TreePath(b"none.tc")
        key = ContainerKey(PASSWORD)
        with (
            pytest.raises(FileUnreadable),
            made.containers.open_file(made.tree, nowhere, key, AS_IT_COMES),
        ):
            pytest.fail("it opened")

    def test_after_an_error_no_container_stands_there(self, arranged: Arranged) -> None:
        """What was half written has no name."""
        with (
            pytest.raises(RuntimeError),
            arranged.containers.create(arranged.tree, PATH, SIZE, PASSWORD, "x"),
        ):
            raise RuntimeError

        assert PATH not in arranged.tree.names(TreePath(b""))

    def test_a_container_larger_than_the_room_is_refused(
        self, arranged: Arranged
    ) -> None:
        """Before anything is made."""
        too_large = arranged.tree.free_bytes() + (1 << 20)
        with (
            pytest.raises(DiskFull),
            arranged.containers.create(arranged.tree, PATH, too_large, PASSWORD, "x"),
        ):
            pytest.fail("it was made")
