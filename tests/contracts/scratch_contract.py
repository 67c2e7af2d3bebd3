"""What every `Scratch` does."""

from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from s3export.domain.ports import Scratch

pieces = st.lists(st.binary(max_size=12), max_size=12)
"""What is appended: some of it fits in memory, some of it does not."""


class ScratchContract:
    """Subclass it with a fixture ``scratch``."""

    def test_any_range_can_be_read(self, scratch: Scratch) -> None:
        """Between any two appends, across whatever lies in memory and on the disk."""

        @given(pieces, st.data())
        @SETTINGS
        def law(parts: list[bytes], data: st.DataObject) -> None:
            written = b""
            with scratch.file() as file:
                for part in parts:
                    assert file.append(part) == len(written)
                    written += part
                    start = data.draw(st.integers(0, len(written) + 3))
                    length = data.draw(st.integers(0, len(written) + 3))
                    assert file.read(start, length) == written[start : start + length]
                assert file.read(0, len(written) + 1) == written

        law()

    def test_beyond_the_end_there_is_nothing(self, scratch: Scratch) -> None:
        """An empty file has an end, too."""
        with scratch.file() as file:
            assert file.read(0, 10) == b""
            file.append(b"twelve bytes")
            assert file.read(12, 10) == b""
            assert file.read(13, 10) == b""
            assert file.read(1 << 40, 10) == b""

    def test_large_pieces_are_kept(self, scratch: Scratch) -> None:
        """Several megabytes at once, and small pieces after them."""
        large = bytes(range(256)) * (3 << 12)
        with scratch.file() as file:
            places = [file.append(data) for data in (b"head", large, b"tail", large)]

            assert places == [0, 4, 4 + len(large), 8 + len(large)]
            assert file.read(2, 4) == b"ad\x00\x01"
            assert file.read(places[1], len(large)) == large
            assert file.read(places[2] - 1, 6) == b"\xfftail\x00"
            assert file.read(places[3], 2 * len(large)) == large

    def test_files_are_apart(self, scratch: Scratch) -> None:
        """What is written to one is not in the other."""
        with scratch.file() as one, scratch.file() as other:
            one.append(b"one")
            assert other.read(0, 10) == b""
            assert other.append(b"other") == 0
            assert one.read(0, 10) == b"one"
