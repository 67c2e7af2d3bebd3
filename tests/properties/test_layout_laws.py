"""Laws of keys and paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loads import load, log_of, source
from strategies import SETTINGS, keys, path_sets, paths

from s3export.adapters.memory import MemoryObjectStore, MemoryWritableTree
from s3export.domain.backup_layout import (
    BackupLayout,
    NotAPath,
    ObjectName,
    Source,
    TreePath,
    directory_of,
    key_of,
    path_of,
)
from s3export.domain.errors import InputRefused
from s3export.domain.services.load_device import LoadRequest


@given(keys)
@SETTINGS
def test_a_key_that_is_a_path_comes_back(key: str) -> None:
    """What ``path_of`` accepts, ``key_of`` gives back; it never leaves the root."""
    try:
        path = path_of(key)
    except NotAPath:
        segments = key.split("/")
        assert (
            not all(segments)
            or {".", ".."} & set(segments)
            or "\0" in key
            or any(len(s.encode()) > 255 for s in segments)
        )
        return
    assert key_of(path) == key
    assert not {b"", b".", b".."} & set(path.split(b"/"))


@given(paths)
@SETTINGS
def test_a_path_has_a_key_just_when_it_is_text(path: bytes) -> None:
    """UTF-8 paths are keys; others are refused with a reason."""
    try:
        key = key_of(TreePath(path))
    except NotAPath as refused:
        with pytest.raises(UnicodeDecodeError):
            path.decode()
        assert "not UTF-8" in str(refused)
    else:
        assert key.encode() == path


@given(st.text(st.sampled_from("/.ab"), max_size=12))
@SETTINGS
def test_a_directory_never_leaves_the_root(text: str) -> None:
    """Slashes at the ends and in a row do not matter; ``..`` is refused."""
    if ".." in text.split("/"):
        with pytest.raises(InputRefused):
            directory_of(text)
        return
    directory = directory_of(text)
    assert directory_of(f"/{text}//") == directory
    assert not {b".", b".."} & set(directory.split(b"/"))
    assert not directory.startswith(b"/") and not directory.endswith(b"/")


@given(st.lists(keys, unique=True, max_size=20), keys, keys, keys)
@SETTINGS
def test_selection_is_plain_comparison_of_bytes(
    all_keys: list[str], prefix: str, begin: str, end: str
) -> None:
    """BeginMarker exclusive, endMarker inclusive; a listing may stop at ``is_past``."""
    source = Source("b", TreePath(b"b"), prefix, begin, end)
    ordered = sorted(all_keys, key=str.encode)

    selected = [key for key in ordered if source.selects(key)]

    assert selected == [
        key
        for key in ordered
        if key.encode().startswith(prefix.encode())
        and (not begin or key.encode() > begin.encode())
        and (not end or key.encode() <= end.encode())
    ]
    until_past = []
    for key in ordered:
        if source.is_past(key):
            break
        until_past.append(key)
    assert [key for key in until_past if source.selects(key)] == selected


@given(path_sets)
@SETTINGS
def test_every_file_belongs_to_the_object_of_its_key(tree: list[bytes]) -> None:
    """Below the bucket's directory a path is the key; elsewhere it is nobody's."""
    layout = BackupLayout((Source("bkt", TreePath(b"bkt")),), TreePath(b"RECOVERY"))
    for path in tree:
        below = TreePath(b"bkt/" + path)
        assert layout.belongs(below)
        try:
            assert layout.objects(below) == (ObjectName("bkt", path.decode()),)
        except NotAPath:
            with pytest.raises(UnicodeDecodeError):
                path.decode()
        if path.split(b"/")[0] != b"bkt":
            assert not layout.belongs(TreePath(path))


directories = st.lists(st.sampled_from([b"a", b"b", b"0000"]), max_size=3)


@given(directories, directories.filter(bool), st.lists(keys, max_size=20), st.data())
@SETTINGS
def test_no_objects_place_is_in_the_way_of_what_is_recovered(
    directory: list[bytes], recovery: list[bytes], texts: list[str], data: st.DataObject
) -> None:
    """None is the recovery directory, above it or in it; all others are kept."""
    one = Source("bkt", TreePath(b"/".join(directory)))
    layout = BackupLayout((one,), TreePath(b"/".join(recovery)))
    near = st.lists(st.sampled_from(["a", "b", "0000"]), min_size=1, max_size=4)
    for key in [*texts, "/".join(data.draw(near))]:
        try:
            own = one.place(key)
        except NotAPath:
            continue
        names = own.split(b"/")
        length = min(len(names), len(recovery))
        in_the_way = names[:length] == recovery[:length]

        if in_the_way:
            with pytest.raises(NotAPath):
                layout.place(one, key)
        elif directory:  # in the root, other names are kept, too
            assert layout.place(one, key) == own


def test_no_object_is_loaded_across_the_way_to_the_recovery_directory() -> None:
    """Whatever comes first: a file there would leave the others without a place."""
    store, tree = MemoryObjectStore("b"), MemoryWritableTree()
    for key in ("rec", "rec/deep", "rec/x", "zz//z"):
        store.put("b", key, b"x")
    layout = BackupLayout((source(),), TreePath(b"b/rec/deep"))

    load(store, tree, LoadRequest(layout, "JOB1"))

    assert {entry.key: entry.file for entry in log_of(tree)} == {
        "rec": b"b/rec/deep/0000/0000",
        "rec/deep": b"b/rec/deep/0000/0001",
        "rec/x": b"b/rec/x",
        "zz//z": b"b/rec/deep/0000/0002",
    }
