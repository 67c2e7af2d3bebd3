"""What every `FileTree` and every `WritableTree` does."""

from collections.abc import Mapping
from typing import Protocol

import pytest

from s3export.domain.backup_layout import TreePath
from s3export.domain.errors import DiskFull, FileAbsent, FileUnreadable, PathUnusable
from s3export.domain.ports import FileTree, NotAFile, TreeFile, WritableTree

ROOT = TreePath(b"")
FILES: Mapping[bytes, bytes] = {
    b"top": b"1",
    b"empty": b"",
    b"a/b/c/deep": b"deep",
    b"a/with blank": b"x" * 70_000,
    b"a/Gr\xc3\xb6\xc3\x9fe": b"utf-8",
    b"a/not-utf-8-\xff\xfe": b"bytes",
    b"a/two\nlines": b"newline",
    b"b/" + b"n" * 255: b"long name",
    b"ab": b"a name that begins like a directory",
}


def content(tree: FileTree, path: bytes) -> bytes:
    """Read a whole file in small steps."""
    buffer = bytearray(1000)
    found = b""
    with tree.open(TreePath(path)) as file:
        while got := file.readinto(buffer):
            found += buffer[:got]
    return found


class ArrangedTree(Protocol):
    """A tree with exactly ``FILES``, a link ``a/link`` to a file outside the root."""

    tree: FileTree


class FileTreeContract:
    """Subclass it with a fixture ``arranged``."""

    def test_every_file_is_yielded_exactly_once(self, arranged: ArrangedTree) -> None:
        """With its path from the root and its size; directories are not yielded."""
        files = [e for e in arranged.tree.entries(ROOT) if isinstance(e, TreeFile)]

        assert sorted((f.path, f.size_bytes) for f in files) == sorted(
            (path, len(body)) for path, body in FILES.items()
        )

    def test_a_part_of_the_tree_keeps_its_paths(self, arranged: ArrangedTree) -> None:
        """Below a directory the paths are still those from the root."""
        found = arranged.tree.entries(TreePath(b"a"))

        assert sorted(f.path for f in found if isinstance(f, TreeFile)) == sorted(
            path for path in FILES if path.startswith(b"a/")
        )

    def test_links_are_told_and_not_followed(self, arranged: ArrangedTree) -> None:
        """A link is no file: neither walked nor opened."""
        others = [e for e in arranged.tree.entries(ROOT) if isinstance(e, NotAFile)]

        assert [(e.path, e.kind) for e in others] == [(b"a/link", "symbolic link")]
        with pytest.raises(FileUnreadable), arranged.tree.open(TreePath(b"a/link")):
            pass

    @pytest.mark.parametrize("path", FILES)
    def test_a_file_is_read_from_start_to_end(
        self, arranged: ArrangedTree, path: bytes
    ) -> None:
        """Whatever its name is."""
        assert content(arranged.tree, path) == FILES[path]

    @pytest.mark.parametrize("start", [0, 1, 69_999, 70_000, 70_001])
    def test_a_file_is_read_from_where_one_likes(
        self, arranged: ArrangedTree, start: int
    ) -> None:
        """In pieces; from the end on there is nothing."""
        path = b"a/with blank"
        with arranged.tree.open(TreePath(path), start=start) as file:
            found = b"".join(map(bytes, file.chunks()))

        assert found == FILES[path][start:]

    @pytest.mark.parametrize("path", [b"a", b"nothing", b"top/below", b"a/nothing"])
    def test_what_is_no_file_cannot_be_opened(
        self, arranged: ArrangedTree, path: bytes
    ) -> None:
        """A directory, and paths that are not there."""
        with pytest.raises(FileAbsent), arranged.tree.open(TreePath(path)):
            pass

    def test_directories_are_known(self, arranged: ArrangedTree) -> None:
        """The root always; a file is none, nor is a link."""
        for path, there in (
            (b"", True),
            (b"a", True),
            (b"a/b/c", True),
            (b"top", False),
            (b"nothing", False),
            (b"a/link", False),
        ):
            assert arranged.tree.has_directory(TreePath(path)) is there

    def test_names_are_those_of_one_directory(self, arranged: ArrangedTree) -> None:
        """Sorted; none for what is not there or is no directory."""
        assert arranged.tree.names(ROOT) == [b"a", b"ab", b"b", b"empty", b"top"]
        assert list(arranged.tree.names(TreePath(b"a/b"))) == [b"c"]
        for path in (b"nothing", b"top", b"a/link"):
            assert list(arranged.tree.names(TreePath(path))) == []

    def test_reading_order_keeps_every_file(self, arranged: ArrangedTree) -> None:
        """It is a permutation."""
        files = [e for e in arranged.tree.entries(ROOT) if isinstance(e, TreeFile)]

        ordered = arranged.tree.reading_order(files)

        assert sorted(f.path for f in ordered) == sorted(f.path for f in files)

    def test_a_place_on_the_disk_is_a_number_or_not_known(
        self, arranged: ArrangedTree
    ) -> None:
        """Also of what is not there, and of what is no file: no error."""
        for path in (b"top", b"a/b/c", b"a", b"a/link", b"nothing", b"no/thing"):
            place = arranged.tree.place_of(TreePath(path))
            assert place is None or place >= 0


class ArrangedWritable(Protocol):
    """An empty tree with room for about a megabyte."""

    tree: WritableTree


class WritableTreeContract:
    """Subclass it with a fixture ``writable``."""

    def test_what_is_written_can_be_read(self, writable: ArrangedWritable) -> None:
        """Directories are made as needed, the length is returned."""
        assert writable.tree.write(TreePath(b"x/y/z"), [b"one", b"", b"two"]) == 6
        assert writable.tree.write(TreePath(b"x/empty"), []) == 0
        writable.tree.sync()

        assert content(writable.tree, b"x/y/z") == b"onetwo"
        assert content(writable.tree, b"x/empty") == b""

    @pytest.mark.parametrize(
        "path", [b"taken", b"dir", b"taken/below", b"dir/" + b"n" * 256]
    )
    def test_a_path_that_cannot_be_made_is_refused(
        self, writable: ArrangedWritable, path: bytes
    ) -> None:
        """A file, a directory, a file in place of a directory, too long a name."""
        writable.tree.write(TreePath(b"taken"), [b"kept"])
        writable.tree.write(TreePath(b"dir/file"), [b"kept"])

        with pytest.raises(PathUnusable):
            writable.tree.write(TreePath(path), [b"lost"])

        assert content(writable.tree, b"taken") == b"kept"
        assert content(writable.tree, b"dir/file") == b"kept"

    def test_a_source_that_fails_leaves_no_file(
        self, writable: ArrangedWritable
    ) -> None:
        """Nothing half written has a name, and the error is passed on."""

        def chunks() -> "object":
            yield b"half"
            raise RuntimeError("gone")

        with pytest.raises(RuntimeError, match="gone"):
            writable.tree.write(TreePath(b"dir/half"), chunks())  # type: ignore[arg-type]

        assert list(writable.tree.names(TreePath(b"dir"))) == []

    def test_a_file_that_does_not_fit_leaves_no_file(
        self, writable: ArrangedWritable
    ) -> None:
        """The disk is full: an error, and what was there before is still there."""
        writable.tree.write(TreePath(b"small"), [b"kept"])

        with pytest.raises(DiskFull):
            writable.tree.write(TreePath(b"big"), (bytes(1 << 20) for _ in range(99)))

        assert b"big" not in writable.tree.names(ROOT)
        assert content(writable.tree, b"small") == b"kept"

    def test_replacing_takes_the_place_of_the_old_content(
        self, writable: ArrangedWritable
    ) -> None:
        """No other name is left beside it."""
        writable.tree.replace(TreePath(b"SIGNATURE"), b"first")
        writable.tree.replace(TreePath(b"SIGNATURE"), b"second")

        assert content(writable.tree, b"SIGNATURE") == b"second"
        assert [n for n in writable.tree.names(ROOT) if n != b"lost+found"] == [
            b"SIGNATURE"
        ]

    def test_a_file_without_a_name_is_seen_nowhere(
        self, writable: ArrangedWritable
    ) -> None:
        """Neither under way nor when it is let go; with a name it remains."""
        tree = writable.tree
        dropped, kept = tree.new_file(), tree.new_file()
        dropped.write(b"half")
        kept.write(b"who")
        kept.write(memoryview(b"le"))
        before = [n for n in tree.names(ROOT) if n != b"lost+found"]
        tree.make_room_for(TreePath(b"d/whole"))
        tree.give_name(kept, TreePath(b"d/whole"))
        dropped.close()
        kept.close()
        kept.close()
        tree.sync()

        assert before == []
        assert (dropped.size_bytes, kept.size_bytes) == (4, 5)
        assert [n for n in tree.names(ROOT) if n != b"lost+found"] == [b"d"]
        assert content(tree, b"d/whole") == b"whole"

    def test_a_name_that_is_taken_is_not_given_again(
        self, writable: ArrangedWritable
    ) -> None:
        """Neither looked for nor given; nor in a directory that is not there."""
        tree = writable.tree
        tree.write(TreePath(b"taken"), [b"kept"])
        for path in (b"taken", b"taken/below", b"n" * 256, b"x/" + b"n" * 256):
            with pytest.raises(PathUnusable):
                tree.make_room_for(TreePath(path))
        file = tree.new_file()
        for path in (b"taken", b"taken/below"):
            with pytest.raises(PathUnusable):
                tree.give_name(file, TreePath(path))
        file.close()

        assert content(tree, b"taken") == b"kept"

    def test_a_file_without_a_name_takes_room_until_it_is_let_go(
        self, writable: ArrangedWritable
    ) -> None:
        """The disk is full with it, and is not full without it."""
        file = writable.tree.new_file()
        with pytest.raises(DiskFull):
            for _ in range(99):
                file.write(bytes(1 << 20))
        file.close()
        writable.tree.sync()

        assert writable.tree.write(TreePath(b"fits"), [bytes(1 << 18)]) == 1 << 18

    def test_a_file_grows_is_cut_and_removed(self, writable: ArrangedWritable) -> None:
        """Made with its directories; removing what is not there is nothing."""
        tree, path = writable.tree, TreePath(b"S3EXPORT/journal")
        tree.append(path, b"one,")
        tree.append(path, b"two,")
        grown = content(tree, path)
        assert tree.size_of(path) == 8
        assert tree.size_of(TreePath(b"S3EXPORT")) is None
        assert tree.size_of(TreePath(b"S3EXPORT/journal/below")) is None
        tree.truncate(path, 4)
        cut = content(tree, path)
        for _ in range(2):
            tree.remove(path)
        assert tree.size_of(path) is None
        tree.remove(TreePath(b"no/directory"))

        assert (grown, cut) == (b"one,two,", b"one,")
        assert list(tree.names(TreePath(b"S3EXPORT"))) == []
