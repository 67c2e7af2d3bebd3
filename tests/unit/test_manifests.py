"""Reading manifests: every scalar is text, every problem has its place."""

import pickle
import re
from pathlib import Path

import pytest
from samples import CUSTOMS, MANIFEST, checked, problems

from s3export.adapters.yaml_manifests import YamlManifests
from s3export.domain.backup_layout import Source, TreePath
from s3export.domain.errors import FileRefused, ManifestRejected
from s3export.domain.manifests import Manifest, Substitution
from s3export.domain.secret import Secret


def read(text: str) -> Manifest:
    """Read a manifest that can be used."""
    return checked(text).accepted()


def test_nothing_is_coerced() -> None:
    """``0123`` is no octal number, ``NO`` no boolean, ``2.0`` no float."""
    manifest = read(
        MANIFEST.replace("98101", "02134").replace("USA", "NO")
        + "generator: 1e3\naccessKeyId: 2026-01-01\n"
    )

    assert manifest.pin_code is not None
    assert manifest.pin_code.reveal() == "0123"
    assert manifest.return_address.postal_code == "02134"
    assert manifest.return_address.country == "NO"
    assert manifest.version == "2.0"
    assert manifest.generator == "1e3"
    assert manifest.access_key_id == "2026-01-01"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_original_bytes_are_kept(tmp_path: Path, mark: str) -> None:
    """Byte order mark, comments, line ends and all: that is what goes to AWS."""
    text = mark + ("# a comment\n" + MANIFEST).replace("\n", "\r\n")
    path = tmp_path / "m.yml"
    path.write_bytes(text.encode())

    manifest = YamlManifests().read(str(path)).accepted()

    assert manifest.text.encode() == path.read_bytes()
    assert manifest.device_id == "HD001"


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


def test_every_field_is_read() -> None:
    """Customs and substitutions, too."""
    manifest = read(
        MANIFEST
        + CUSTOMS
        + 'serviceLevel: expeditedShipping\nsubstitutions:\n  "$COLON$": ":"\n'
        "recoveryDirectory: LostAndFound\n"
    )

    assert manifest.customs is not None
    assert manifest.customs.encrypted_data
    assert not manifest.customs.requires_export_license
    assert manifest.customs.device_value == "250.00"
    assert manifest.substitutions == (Substitution("$COLON$", ":"),)
    assert manifest.recovery_directory == "LostAndFound"
    assert manifest.service_level == "expeditedShipping"


def test_every_problem_is_found_at_once_in_the_order_of_the_text() -> None:
    """Eleven mistakes, eleven problems, each with its line."""
    text = (
        MANIFEST.replace("deviceId: HD001", "deviceID: HD001")
        .replace("EXT4", "FAT32")
        .replace("logBucket: export-log-bucket\n", "")
        .replace("pinCode: 0123\n", "")
        .replace("exportBucket: foo-bucket", "exportBuckets: foo-bucket")
        .replace("  name: Jo Operator\n", "")
        .replace("  stateOrProvince: WA\n", "")
        .replace("city: Seattle", "city:")
        + "targetDirectory: ../up\nserviceLevel: overnight\nprefix: images/\n"
    )

    found = problems(text)

    assert [(problem.field, problem.rule) for problem in found] == [
        ("logBucket", "missing-field"),
        ("trueCryptPassword", "no-encryption"),
        ("deviceID", "misspelt-field"),
        ("fileSystem", "file-system"),
        ("operations[0].exportBuckets", "misspelt-field"),
        ("returnAddress.name", "missing-field"),
        ("returnAddress.stateOrProvince", "missing-field"),
        ("returnAddress.city", "missing-field"),
        ("targetDirectory", "directory"),
        ("serviceLevel", "invalid-value"),
        ("prefix", "misplaced-field"),
    ]
    assert [problem.line for problem in found] == sorted(p.line for p in found)
    by_field = {problem.field: problem for problem in found}
    assert by_field["deviceID"].advice == "did you mean deviceId?"
    assert (by_field["fileSystem"].line, by_field["fileSystem"].column) == (3, 13)
    with pytest.raises(ManifestRejected) as rejected:
        checked(text).accepted()
    assert rejected.value.problems == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("\ufeff", "is empty"),
        ("# only a comment\n", "nothing but comments"),
        ("/home/operator/manifest.yml\n", "path in place of its content"),
        ("- a\n- b\n", "is a list"),
        ('{"deviceId": "HD001"}', "is JSON"),
        ("\n  { }", "is JSON"),
        ("a:\n\tb: 1\n", "indent with blanks, not with a TAB"),
        ("a:\n  b: 1\n\tc: 2\n", "indent with blanks, not with a TAB"),
        ("a: [1,\n", "not YAML"),
        ("deviceld:HD1\nlogBucket: b\n", "put a blank after the field's colon"),
        ("a: \x01\n", "not YAML"),
        ("a: '\\x'b\n", "not YAML"),
        ('a: "\\Uffffffff"\n', "an escape names no character"),
        ("a: 1\n---\nb: 2\n", "not YAML"),
        ("[" * 5000, "not YAML|nested too deeply"),
    ],
)
def test_what_is_no_manifest_gets_one_clear_problem(text: str, said: str) -> None:
    """With its place, and what to do."""
    (problem,) = problems(text)

    assert re.search(said, str(problem))
    assert problem.rule == "malformed"


PASSWORD = MANIFEST.replace("pinCode: 0123", "trueCryptPassword: k7w-mm2-x9p")


@pytest.mark.parametrize(
    ("was", "now", "place", "said"),
    [
        ("HD001", '"HD001', (2, 11), "has no end in its line"),
        ("HD001", "'HD001", (2, 11), "has no end in its line"),
        ("country: USA", "country: 'USA", (17, 12), "has no end in its line"),
        ("k7w-mm2", '"k7w', (6, 20), "close it behind the value"),
        ("Jo Operator", "'Jo O'Perator'", (11, 15), "each ' in it twice"),
        ("Jo Operator", '"Jo" Operator', (11, 13), "follows the closing quote"),
        ("Jo Operator", '"C:\\qx"', (11, 13), "take single quotes"),
        ("Jo Operator", "Jo: Operator", (11, 11), "put a value that holds a colon in"),
        ("Jo Operator", "`Jo", (11, 9), "put a value that begins with a sign in quo"),
        ("Jo Operator", "[Jo, {", (11, 9), "put a value that begins with a sign"),
        ("deviceId: ", "deviceId:\t", (2, 10), "a TAB follows the colon (put a blank"),
        ("city: ", 'city: \t"', (13, 9), "a TAB follows the colon"),
        ("Jo Operator", "Jo\tOperator", (11, 11), "a TAB outside of quotes"),
        ("Seattle", "Seattle\t# x", (13, 16), "a TAB outside of quotes"),
        ("  city", "city", (13, 1), "less than the lines before and after it"),
        ("  city", " city", (13, 2), "like no field before it"),
        ("  city", "    city", (13, 5), "more than the field before it"),
        ("fileSystem", "  fileSystem", (3, 3), "more than the field before it"),
        ("foo-bucket", "foo-bucket\n   prefix: x", (10, 4), "indent the fields of a"),
        ("foo-bucket", "foo-bucket\n      prefix: x", (10, 7), "more than the field"),
        ("city: ", "city ", (13, 3), "write city: and then the value"),
        ("deviceId: ", "deviceId ", (2, 1), "there is no colon after the field's"),
        ("manifestVersion: ", "manifestVersion ", (1, 1), "there is no colon"),
        ("operations:", "operations", (8, 1), "write operations: and then"),
        ("country: ", "country ", (17, 3), "write country: and then the value"),
        ("country: ", "nation ", (17, 3), "write NAME: and then the value"),
        ("manifest", "%manifest", (1, 1), "the line begins with a sign"),
    ],
)
def test_a_fault_of_the_text_is_told_where_it_lies(
    was: str, now: str, place: tuple[int, int], said: str
) -> None:
    """Not where the parser noticed, and in words that say what to write."""
    (problem,) = problems(PASSWORD.replace(was, now, 1))

    assert (problem.line, problem.column) == place, problem
    assert said in str(problem)
    assert "block" not in str(problem) and "token" not in str(problem)


def test_of_two_quotes_that_belong_together_the_first_is_told() -> None:
    """A quote without its end takes the beginning of the next one for it."""
    text = MANIFEST.replace("HD001", '"HD001').replace("Seattle", '"Seattle"')

    (problem,) = problems(text)

    assert (problem.line, problem.column) == (2, 11)


def test_a_value_over_several_lines_is_not_what_is_wrong_further_down() -> None:
    """It is in order, and so is one with quotes inside."""
    text = MANIFEST.replace("Jo Operator", "'Jo\n    ''the''\n    Operator'")
    assert checked(text).valid

    (problem,) = problems(text.replace("city: ", "city "))

    assert problem.line == 15
    assert "no colon" in problem.message


def test_what_is_no_text_is_told_by_its_place() -> None:
    """A control character, which many editors do not show."""
    (problem,) = problems(MANIFEST.replace("EXT4", "EX\x01T4"))

    assert (problem.line, problem.column) == (3, 15)


def test_a_field_twice_is_one_problem_among_others() -> None:
    """The rest of the manifest is checked all the same."""
    found = problems(
        MANIFEST.replace("deviceId: HD001", "deviceId: HD001\ndeviceId: HD002").replace(
            "EXT4", "FAT"
        )
    )

    assert [(problem.line, problem.rule) for problem in found] == [
        (3, "repeated-field"),
        (4, "file-system"),
    ]
    assert "line 2 already" in found[0].message


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    """Nine levels of nine would be a billion nodes."""
    levels = ["a0: &a0 x"]
    for n in range(1, 10):
        levels.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]")

    (problem,) = problems("\n".join(levels))

    assert "aliases" in problem.message
    assert problem.rule == "sign"


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    """The line is named."""
    path = Path(tmp_path, "m.yml")
    path.write_bytes(b"a: 1\nb: \xff\n")

    (problem,) = YamlManifests().read(str(path)).problems

    assert problem.line == 2
    assert "not UTF-8" in problem.message


def test_a_disk_image_given_as_manifest_is_not_read_into_memory(
    tmp_path: Path,
) -> None:
    """A large file is refused by its size."""
    path = Path(tmp_path, "disk.img")
    with path.open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(FileRefused, match="is it a manifest") as refused:
        YamlManifests().read(str(path))

    assert "new-manifest writes one" in refused.value.next_step


@pytest.mark.parametrize(
    ("path", "said"),
    [("nowhere.yml", "no such file"), (".", "is a directory"), ("a\0b", "null byte")],
)
def test_a_file_that_cannot_be_read_is_named(path: str, said: str) -> None:
    """Before anything of it is looked at."""
    with pytest.raises(FileRefused, match=said):
        YamlManifests().read(path)


def test_verifying_needs_no_address() -> None:
    """What only creating a job needs is not in the way of knowing what was exported."""
    old = MANIFEST.partition("returnAddress:")[0].replace("notificationEmail", "# n")

    assert not checked(old).valid
    assert checked(old).selection().sources() == read(MANIFEST).sources()
    with pytest.raises(ManifestRejected) as rejected:
        checked(old.replace("exportBucket", "exportBuket")).selection()
    assert [p.field for p in rejected.value.problems] == ["operations[0].exportBuket"]


def test_no_secret_is_shown_by_accident() -> None:
    """Neither by repr nor str nor pickling, nor in the manifest's own repr."""
    text = MANIFEST.replace("0123", "98765") + "trueCryptPassword: hunter2\n"
    manifest = read(text)

    for shown in (
        repr(manifest),
        str(manifest),
        repr(manifest.text),
        repr(checked(text)),
    ):
        assert "98765" not in shown
        assert "hunter2" not in shown
    assert str(Secret("x")) == Secret.MASK
    with pytest.raises(TypeError):
        pickle.dumps(Secret("x"))
    assert Secret("x") == Secret("x") != Secret("y")
    assert len({Secret("x"), Secret("x")}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "trueCryptPassword: S3cr3t word: more\n",
        "trueCryptPassword:S3cr3t:\n",
        "trueCryptPassword:\nS3cr3t:\n",
        "trueCryptPassword:\nS3cr3t: x\nS3cr3t: y\n",
        "trueCryptPassword:\n  S3cr3t: x\n",
        "trueCryptPassword: [S3cr3t]\n",
        "trueCryptPassword: {S3cr3t: x}\n",
        "trueCryptPassword: 'S3cr3t'x\n",
        "trueCryptPassword: 'S3cr3t\n",
        "trueCryptPassword: @S3cr3t\n",
        "trueCryptPassword: @S3cr3t@\n",
        "trueCryptPassword: *S3cr3t\n",
        "trueCryptPassword: &S3cr3t\n",
        "trueCryptPassword: !S3cr3t x\n",
        "trueCryptPassword: %S3cr3t\n",
        "trueCryptPassword: `S3cr3t`\n",
        "trueCryptPassword: ***S3cr3t***\n",
        "trueCryptPassword: |S3cr3t\n",
        'trueCryptPassword: "S3cr3t\\q"\n',
        "trueCryptPassword: S3cr3t #x\nfileSystem: S3cr3t\nserviceLevel: S3cr3t\n",
        "trueCryptPassword S3cr3t\n",
        "trueCryptPassword: S3cr3t\nnotificationEmail: S3cr3t\nlogBucket: S3cr3t/x\n",
        "pinCode: S3cr3t\nmanifestVersion: S3cr3t\n",
        "pinCode: - S3cr3t\n",
        "?S3cr3t: x\n",
    ],
)
@pytest.mark.parametrize("before", ["", MANIFEST.replace("pinCode: 0123\n", "")])
def test_no_message_repeats_a_secret(before: str, text: str) -> None:
    """However its manifest is broken, no problem quotes the password or the PIN."""
    found = checked(before + text).problems

    assert found
    assert not any("S3cr3t" in str(problem) for problem in found)


@pytest.mark.parametrize(
    "torn",
    [
        "logBucket: export-lotrueCryptPassword: S3cr3t\n",
        "logBucket: export-logtrueCryptPassword:S3cr3t\n",
        'manifestVersion: 2.0S3cr3t"\n',
        "fileSystem: EXT4S3cr3t\nserviceLevel: S3cr3t\n",
    ],
)
def test_no_message_repeats_a_secret_that_has_lost_its_name(torn: str) -> None:
    """Where no password is where it belongs, any value may be one."""
    sound = MANIFEST.replace("pinCode: 0123\n", "").splitlines()
    names = [line.partition(":")[0] for line in torn.splitlines()]
    rest = [line for line in sound if line.partition(":")[0] not in names]

    found = checked(torn + "\n".join(rest) + "\n").problems

    assert found
    assert not any("S3cr3t" in str(problem) for problem in found)


BROKEN = (
    '"{}',
    '"{}"x',
    '"x"{}',
    "'x'{}",
    '"\\{}"',
    '"\\x{}0"',
    "|{}",
    ">{}",
    "|0{}",
    "!^{}",
    "&^{}",
    "*^{}",
    "[x]{}",
    "[{}",
    "{{x}}{}",
    "{{{}",
    "x\n{}",
    "x\n  {}: x",
    "\n{}",
    "\n{}: {}: x",
    "x: {}",
    "\t{}",
    "{}",
)


@pytest.mark.parametrize("shape", BROKEN)
@pytest.mark.parametrize("pair", ["SQ", "^~", "%`", "@`", "]}", "\x01\x02", "ЖЩ"])
def test_no_message_depends_on_a_character_of_a_password(shape: str, pair: str) -> None:
    """Of two that differ in one character the same is said, if neither can be read."""
    one, other = (
        checked(PASSWORD.replace("k7w-mm2-x9p", shape.format(character, character)))
        for character in pair
    )

    if one.root is None and other.root is None:
        assert [p.message for p in one.problems] == [p.message for p in other.problems]
    for each, character in zip((one, other), pair, strict=True):
        for problem in each.problems:
            assert f"'{character}'" not in str(problem)
            assert f"with {character} in" not in str(problem)
