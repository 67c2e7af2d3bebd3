"""Reading manifests: every scalar is text, every problem has its place."""

import pickle
import re
from pathlib import Path

import pytest
from samples import MANIFEST

from s3export.adapters.memory import MemoryManifests
from s3export.adapters.yaml_manifests import YamlManifests
from s3export.domain.backup_layout import Source, TreePath
from s3export.domain.errors import FileRefused, ManifestRejected, Problem
from s3export.domain.manifests import Manifest
from s3export.domain.secret import Secret


def read(text: str) -> Manifest:
    """Read a manifest."""
    return MemoryManifests({"m.yml": text}).read("m.yml")


def problems(text: str) -> tuple[Problem, ...]:
    """Return what is wrong with a manifest."""
    with pytest.raises(ManifestRejected) as rejected:
        read(text)
    return rejected.value.problems


def test_nothing_is_coerced() -> None:
    """``0123`` is no octal number, ``NO`` no boolean, ``2.0`` no float."""
    manifest = read(
        MANIFEST.replace("98101", "02134").replace("USA", "NO") + "accessKeyId: 1e3\n"
    )

    assert manifest.pin_code is not None
    assert manifest.pin_code.reveal() == "0123"
    assert manifest.return_address.postal_code == "02134"
    assert manifest.return_address.country == "NO"
    assert manifest.version == "2.0"


def test_the_original_text_is_kept() -> None:
    """Comments, line ends and all: that is what goes to AWS."""
    text = ("# a comment\n" + MANIFEST).replace("\n", "\r\n")

    assert read(text).text == text
    assert read("\ufeff" + MANIFEST).device_id == "HD001"


def test_operations_say_what_they_select_and_where_it_goes() -> None:
    """The top level's targetDirectory serves operations without one of their own."""
    manifest = read(
        MANIFEST.replace(
            "  - exportBucket: foo-bucket\n",
            "  - exportBucket: one\n    prefix: p/\n    beginMarker: p/a\n"
            "    endMarker: p/z\n    targetDirectory: /own/\n"
            "  - exportBucket: two\n",
        )
        + "targetDirectory: /shared\n"
    )

    assert manifest.sources() == (
        Source("one", TreePath(b"own"), "p/", "p/a", "p/z"),
        Source("two", TreePath(b"shared")),
    )
    assert manifest.log_key("53TX4") == "logs/export-log-53TX4"


def test_every_problem_is_found_at_once_in_the_order_of_the_text() -> None:
    """Ten mistakes, ten problems, each with its line."""
    text = (
        MANIFEST.replace("deviceId: HD001", "deviceID: HD001")
        .replace("EXT4", "FAT32")
        .replace("logBucket: export-log-bucket\n", "")
        .replace("pinCode: 0123\n", "")
        .replace("exportBucket: foo-bucket", "exportBuckets: foo-bucket")
        .replace("  name: Jo Operator\n", "")
        .replace("  stateOrProvince: WA\n", "")
        .replace("city: Seattle", "city:")
        + "targetDirectory: ../up\nserviceLevel: overnight\n"
    )

    found = problems(text)

    assert [problem.field for problem in found] == [
        "",
        "deviceId",
        "logBucket",
        "deviceID",
        "fileSystem",
        "operations[0].exportBucket",
        "operations[0].exportBuckets",
        "returnAddress.name",
        "returnAddress.stateOrProvince",
        "returnAddress.city",
        "targetDirectory",
        "serviceLevel",
    ]
    assert [problem.line for problem in found] == sorted(p.line for p in found)
    by_field = {problem.field: problem for problem in found}
    assert by_field["deviceID"].advice == "did you mean deviceId?"
    assert (by_field["fileSystem"].line, by_field["fileSystem"].column) == (3, 13)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("# only a comment\n", "nothing but comments"),
        ("/home/operator/manifest.yml\n", "path in place of its content"),
        ("- a\n- b\n", "is a list"),
        ("a: 1\na: 2\n", "a stands in line 1 already"),
        ("a: &x 1\nb: *x\n", "aliases"),
        ("a:\n\tb: 1\n", "TAB"),
        ("a: [1\n", "not YAML"),
        ("deviceId:HD1\nlogBucket: b\n", "put a blank after deviceId:"),
        ("a: \x01\n", "not YAML"),
        ("? [1]\n: 2\n", "name is not text"),
        ("[" * 5000, "not YAML|nested too deeply"),
    ],
)
def test_what_is_no_manifest_gets_one_clear_problem(text: str, said: str) -> None:
    """With its place, and what to do."""
    (problem,) = problems(text)

    assert re.search(said, str(problem))


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    """Nine levels of nine would be a billion nodes."""
    levels = ["a0: &a0 x"]
    for n in range(1, 10):
        levels.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]")

    assert "aliases" in problems("\n".join(levels))[0].message


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    """The line is named."""
    path = Path(tmp_path, "m.yml")
    path.write_bytes(b"a: 1\nb: \xff\n")

    with pytest.raises(ManifestRejected) as rejected:
        YamlManifests().read(str(path))

    assert rejected.value.problems[0].line == 2


def test_a_disk_image_given_as_manifest_is_not_read_into_memory(
    tmp_path: Path,
) -> None:
    """A large file is refused by its size."""
    path = Path(tmp_path, "disk.img")
    with path.open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(FileRefused, match="is it a manifest"):
        YamlManifests().read(str(path))


def test_no_secret_is_shown_by_accident() -> None:
    """Neither by repr nor str nor pickling, nor in the manifest's own repr."""
    manifest = read(MANIFEST.replace("0123", "98765") + "trueCryptPassword: hunter2\n")

    for text in (repr(manifest), str(manifest), repr(manifest.text)):
        assert "98765" not in text
        assert "hunter2" not in text
    assert str(Secret("x")) == Secret.MASK
    with pytest.raises(TypeError):
        pickle.dumps(Secret("x"))
    assert Secret("x") == Secret("x") != Secret("y")
    assert len({Secret("x"), Secret("x")}) == 1
