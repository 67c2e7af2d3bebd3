"""Laws of filling disks in strict order."""

from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import SETTINGS

from s3export.domain.disk_filling import DiskFilling, capacity_of

MIB = 1 << 20

_objects = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.text("ab/", min_size=1, max_size=6),
        st.integers(0, 60 * MIB),
    ),
    max_size=30,
).map(sorted)


def filled(objects: list[tuple[int, str, int]], disk_bytes: int) -> DiskFilling:
    """Return disks filled with the objects."""
    filling = DiskFilling(disk_bytes)
    for operation, key, size in objects:
        filling.add(operation, key, size)
    return filling


@given(_objects, st.integers(40 * MIB, 400 * MIB))
@SETTINGS
def test_every_object_is_on_a_disk_or_too_large(
    objects: list[tuple[int, str, int]], disk_bytes: int
) -> None:
    """None is counted twice, none is lost, and no disk holds more than it can."""
    filling = filled(objects, disk_bytes)

    on_disks = sum(share.objects for share in filling.shares)
    assert on_disks + len(filling.too_large) == len(objects)
    sizes = sum(share.size_bytes for share in filling.shares)
    sizes += sum(large.size_bytes for large in filling.too_large)
    assert sizes == sum(size for _, _, size in objects)
    for share in filling.shares:
        assert share.size_bytes <= capacity_of(disk_bytes).size_bytes


@given(_objects, st.integers(40 * MIB, 400 * MIB))
@SETTINGS
def test_a_next_disk_takes_up_where_the_last_one_ended(
    objects: list[tuple[int, str, int]], disk_bytes: int
) -> None:
    """Selecting by operation and beginMarker gives each disk's objects again."""
    unique = sorted(
        {(operation, key): size for operation, key, size in objects}.items()
    )
    flat = [(operation, key, size) for (operation, key), size in unique]
    filling = filled(flat, disk_bytes)
    assume(not filling.too_large)

    for number, share in enumerate(filling.shares):
        rest = [
            each
            for each in flat
            if each[0] > share.operation
            or (each[0] == share.operation and each[1] > share.begin_marker)
        ]
        again = filled(rest, disk_bytes).shares[0]
        assert (again.objects, again.size_bytes) == (share.objects, share.size_bytes)
        left = sum(s.objects for s in filling.shares[number:])
        assert len(rest) == left


@given(_objects, st.integers(40 * MIB, 200 * MIB), st.integers(0, 200 * MIB))
@SETTINGS
def test_larger_disks_are_no_more_disks(
    objects: list[tuple[int, str, int]], disk_bytes: int, more: int
) -> None:
    """Of the objects that fit on the smaller ones."""
    small = filled(objects, disk_bytes)
    assume(not small.too_large)

    assert len(filled(objects, disk_bytes + more).shares) <= len(small.shares)
