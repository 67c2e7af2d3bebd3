"""Rules of manifests, one example each, and who may be silent about them."""

import pytest
from samples import CUSTOMS, MANIFEST, checked

from s3export.domain.errors import InputRefused, ManifestRejected, Severity
from s3export.domain.manifests import for_load, remarks_for_load
from s3export.domain.manifests.lints import other_serial
from s3export.domain.manifests.rules import RULES, checked_names

SOUND = MANIFEST.replace("pinCode: 0123", "trueCryptPassword: k7w-mm2-x9p-4qd-r8s-ta5")
ABROAD = SOUND.replace("USA", "Germany").replace("206-555-1000", "+49 30 123456")


def rules_of(text: str) -> list[str]:
    """Return the names of the rules that a manifest breaks."""
    return [problem.rule for problem in checked(text).problems]


def one(operation: str) -> str:
    """Return a manifest with one operation; its fields are joined by semicolons."""
    return SOUND.replace("  - exportBucket: foo-bucket\n", item(operation))


def two(first: str, second: str) -> str:
    """Return a manifest with two operations."""
    return one(first).replace(item(first), item(first) + item(second))


def item(operation: str) -> str:
    """Return an operation as lines of YAML."""
    return "  - " + operation.replace("; ", "\n    ") + "\n"


def test_nothing_is_said_of_a_sound_manifest() -> None:
    """At home, and abroad with customs; neither warning nor hint."""
    assert rules_of(SOUND) == []
    assert rules_of(ABROAD + CUSTOMS) == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("malformed", "manifest.yml"),
        ("repeated-field", SOUND + "logPrefix: twice\n"),
        ("missing-field", SOUND.replace("deviceId: HD001\n", "")),
        ("missing-field", SOUND.replace("HD001", "")),
        ("missing-field", SOUND.replace("HD001", '""')),
        ("missing-field", one("").replace("  - \n", "")),
        ("missing-field", one("foo-bucket")),
        ("missing-field", SOUND.replace("- exportBucket: foo-bucket", "- prefix: a")),
        ("no-encryption", MANIFEST.replace("pinCode: 0123\n", "")),
        ("no-encryption", MANIFEST.replace("0123", "")),
        ("sign", SOUND.replace("HD001", "&HD 001")),
        ("sign", SOUND.replace("HD001", "*HD")),
        ("sign", SOUND.replace("HD001", "!HD 001")),
        ("invalid-value", SOUND + "serviceLevel: overnight\n"),
        ("invalid-value", SOUND + "accessKeyId:\n  - a\n"),
        ("invalid-value", SOUND.replace("- exportBucket", "exportBucket")),
        ("invalid-value", SOUND + 'generator: "a\\x07b"\n'),
        ("invalid-value", SOUND + "substitutions:\n  a: {b: c}\n"),
        ("log-key-too-long", SOUND.replace("logs/", "l" * 1009)),
        ("file-system", SOUND.replace("EXT4", "ext4")),
        ("file-system", SOUND.replace("EXT4", "FAT32")),
        ("address", SOUND.replace("1 Example Street", "P.O. Box 12")),
        ("missing-field", SOUND.replace("  stateOrProvince: WA\n", "")),
        ("missing-field", SOUND.replace("  city: Seattle\n", "")),
        ("address", SOUND.replace("city: Seattle", "city:\n    - Seattle")),
        ("address", SOUND.partition("  name:")[0].replace("ress:", "ress: x")),
        (
            "missing-customs",
            ABROAD + CUSTOMS.replace("  dataDescription: Backups\n", ""),
        ),
        ("customs", ABROAD + CUSTOMS.replace("250.00", "much")),
        ("customs", ABROAD + CUSTOMS.replace("Data: yes", "Data: perhaps")),
        ("missing-customs", ABROAD + CUSTOMS.replace("  encryptionClass", "  # ")),
        ("customs", ABROAD + CUSTOMS.replace("externalStorageDevice", "tape")),
        ("customs", ABROAD + CUSTOMS + "  typeOfExport: forever\n"),
        ("customs", ABROAD + "customs: none\n"),
        ("placeholder", SOUND.replace("HD001", "[serial number]")),
        ("placeholder", SOUND.replace("EXT4", "[NTFS|EXT4]")),
        ("placeholder", SOUND.replace("HD001", "{serial number}")),
        ("placeholder", SOUND.replace("EXT4", "[NTFS|EXT4")),
        ("placeholder", SOUND.replace("HD001", "***serial***")),
        ("placeholder", SOUND.replace("foo-bucket", "@BUCKET@")),
        ("placeholder", SOUND.replace("Seattle", "<city>")),
        ("placeholder", MANIFEST.replace("pinCode: 0123", "pinCode: [PIN]")),
        ("misspelt-field", SOUND.replace("deviceId", "deviceID")),
        ("misspelt-field", SOUND.replace("exportBucket", "exportBuket")),
        ("misplaced-field", SOUND + "prefix: images/\n"),
        ("misplaced-field", one("exportBucket: foo-bucket; logBucket: b")),
        ("import-only-field", SOUND + "eraseDevice: yes\n"),
        ("import-only-field", SOUND + "bucket: my-bucket\n"),
        ("bucket-name", SOUND.replace("foo-bucket", "s3://foo-bucket")),
        ("bucket-name", SOUND.replace("foo-bucket", "foo-bucket/images")),
        ("bucket-name", SOUND.replace("foo-bucket", "ab")),
        ("bucket-name", SOUND.replace("export-log-bucket", "a b c")),
        (
            "nothing-selected",
            one("exportBucket: foo-bucket; prefix: image; endMarker: foo"),
        ),
        (
            "nothing-selected",
            one("exportBucket: foo-bucket; beginMarker: b; endMarker: a"),
        ),
        (
            "nothing-selected",
            one("exportBucket: foo-bucket; prefix: exported/; beginMarker: images/j"),
        ),
        ("directory", SOUND + "targetDirectory: a/../../b\n"),
        ("directory", SOUND + f"targetDirectory: {'x' * 256}\n"),
        ("directory", SOUND + "recoveryDirectory: /\n"),
        ("directory", one("exportBucket: foo-bucket; targetDirectory: ..")),
        ("password-too-long", MANIFEST + f"trueCryptPassword: {'abcdefgh' * 8}i\n"),
        ("no-blank", SOUND.replace("deviceId: ", "deviceId:")),
        ("unknown-field", SOUND + "colour: blue\n"),
        ("manifest-version", SOUND.replace("2.0", "1.2")),
        ("access-key-id", SOUND + "accessKeyId: my key\n"),
        ("customs-needed", ABROAD),
        ("customs-needed", ABROAD + "customs:\n"),
        ("expedited-abroad", ABROAD + CUSTOMS + "serviceLevel: expeditedShipping\n"),
        ("email-address", SOUND.replace("operator@", "operator at ")),
        ("email-address", SOUND.replace("operator@", "a@b.org, operator@")),
        ("unquoted-value", SOUND.replace("98101", "02134")),
        ("unquoted-value", SOUND.replace("Seattle", "No")),
        ("unquoted-value", MANIFEST.replace("0123", "02746135")),
        ("comment-in-secret", SOUND.replace("k7w", "longer-than-this-one #k7w")),
        ("comment-in-value", SOUND.replace("Example Street", "Example Street #5")),
        ("weak-secret", SOUND.replace("k7w-mm2-x9p-4qd-r8s-ta5", "apassword")),
        ("weak-secret", SOUND.replace("k7w-mm2-x9p-4qd-r8s-ta5", "ababababababab")),
        ("weak-secret", SOUND.replace("trueCryptPassword: k7w-", "pinCode: 1234 #")),
        ("weak-secret", MANIFEST.replace("0123", '"1111111111"')),
        ("weak-secret", MANIFEST.replace("0123", '"98765432"')),
        ("password-not-ascii", SOUND.replace("k7w", "Straße")),
        ("pin-not-digits", MANIFEST.replace("0123", "12-34-56-78")),
        ("odd-bucket-name", SOUND.replace("foo-bucket", "Foo_bucket")),
        ("overlap", two("exportBucket: foo-bucket", "exportBucket: foo-bucket")),
        (
            "overlap",
            two(
                "exportBucket: foo-bucket; prefix: a/b",
                "exportBucket: foo-bucket; beginMarker: a; endMarker: a/c",
            ),
        ),
        (
            "shared-directory",
            two(
                "exportBucket: foo-bucket; targetDirectory: /x/",
                "exportBucket: other-bucket; targetDirectory: x",
            ),
        ),
        ("log-exported", SOUND.replace("export-log-bucket", "foo-bucket")),
        (
            "recovery-directory",
            one("exportBucket: foo-bucket; targetDirectory: EXPORT-RECOVERY/x"),
        ),
        ("kept-directory", SOUND + "recoveryDirectory: /SIGNATURE/x\n"),
        ("substitutions", SOUND + 'substitutions:\n  "a": "x"\n  "b": "x"\n'),
        ("substitutions", SOUND + 'substitutions:\n  "a": "a"\n'),
        (
            "copied-twice",
            two(
                "exportBucket: foo-bucket; targetDirectory: one",
                "exportBucket: foo-bucket; targetDirectory: two",
            ),
        ),
        ("short-password", SOUND.replace("-4qd-r8s-ta5", "-4qd")),
        ("country-code", ABROAD.replace("+49 30", "030") + CUSTOMS),
    ],
)
def test_each_rule_has_an_example(rule: str, text: str) -> None:
    """That breaks it, and says so with the severity that the rule has."""
    found = [p for p in checked(text).problems if p.rule == rule]

    assert found, checked(text).problems
    assert all(problem.severity is RULES[rule].severity for problem in found)
    assert checked(text).valid is (
        not any(p.severity is Severity.ERROR for p in checked(text).problems)
    )


ONLINE = {
    "no-such-bucket",
    "regions",
    "permission",
    "no-objects",
    "idle-operation",
    "disk-full",
    "object-too-large",
    "device-id",
}


def test_no_rule_is_without_an_example() -> None:
    """But for those that need S3 or a disk, which have tests of their own."""
    (mark,) = (
        mark
        for mark in test_each_rule_has_an_example.pytestmark  # type: ignore[attr-defined]
        if mark.name == "parametrize"
    )
    of_loads = {"password-elsewhere"}
    assert {rule for rule, _ in mark.args[1]} | ONLINE | of_loads == set(RULES)


@pytest.mark.parametrize(
    "text",
    [
        one("exportBucket: foo-bucket; prefix: a; beginMarker: a; endMarker: ab"),
        two(
            "exportBucket: foo-bucket; endMarker: m",
            "exportBucket: foo-bucket; beginMarker: m",
        ),
        two("exportBucket: foo-bucket", "exportBucket: other-bucket"),
        SOUND.replace("export-log-bucket", "foo-bucket").replace(
            "exportBucket: foo-bucket", "exportBucket: foo-bucket\n    prefix: data/"
        ),
        SOUND.replace("EXT4", "NTFS"),
        SOUND.replace("operator@example.com", "a@example.com;b@example.com"),
        SOUND.replace("logs/", "l" * 1008),
        ABROAD + CUSTOMS.replace("yes", "Yes").replace(": no", ": No"),
        ABROAD + CUSTOMS.replace("yes", "no").replace("  encryptionClass", "  # "),
        SOUND + "generator: manifest:writer\n",
        SOUND + "generator: |\n  name:x\n  deviceId:y\n",
        SOUND + 'generator: "a\n  name:x"\n',
        SOUND.replace("2.0", '"2.0"').replace("EXT4", "'EXT4'"),
        SOUND + "substitutions:\n",
        SOUND + "  street2:\n  street3: ''\n",
        SOUND.replace("k7w-mm2-x9p-4qd-r8s-ta5", '"[k7w mm2 x9p 4qd #r8s: ta5]"'),
    ],
)
def test_what_is_right_is_not_complained_of(text: str) -> None:
    """Forms that look like mistakes and are none."""
    assert rules_of(text) == []


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("exportBucket: b-1; prefix: images #1/", "prefix", "is read as 'images'"),
        ("exportBucket: b-1; prefix: #1/", "prefix", "is empty"),
        ("exportBucket: b-1; beginMarker: a #b", "beginMarker", "is read as 'a'"),
        ("exportBucket: b-1; endMarker: a  #b", "endMarker", "is read as 'a'"),
        ("exportBucket: b-1; targetDirectory: x #2", "targetDirectory", "read as 'x'"),
        ("exportBucket: foo-bucket #2", "exportBucket", "is read as 'foo-bucket'"),
    ],
)
def test_a_value_that_a_hash_cuts_off_is_told_as_it_is_read(
    text: str, field: str, said: str
) -> None:
    """One warning, at the value; in quotes there is nothing to be said."""
    (problem,) = checked(one(text)).problems

    assert (problem.rule, problem.field) == (
        "comment-in-value",
        f"operations[0].{field}",
    )
    assert said in problem.message
    assert problem.advice == "put it in quotes"


def test_of_a_password_that_is_still_the_templates_it_is_told_to_write_one() -> None:
    """One that begins with a bracket may be meant: in quotes it is."""
    text = MANIFEST.replace("pinCode: 0123", "trueCryptPassword: [fill in]")
    (problem,) = [p for p in checked(text).problems if p.rule == "placeholder"]

    assert problem.advice.startswith("write the password in its place, in quotes if")


@pytest.mark.parametrize(
    "value",
    ["Seattle # the city", "Seattle#5", "'Seattle #5'", "Seattle #", "Sea#ttle"],
)
def test_a_hash_that_cuts_nothing_off_is_not_told(value: str) -> None:
    """A comment that looks like one, a # without a blank before it, one in quotes."""
    assert rules_of(SOUND.replace("Seattle", value)) == []


def test_a_comment_after_a_value_of_a_fixed_choice_is_one() -> None:
    """No value of it holds a #, and what is wrong already is not told twice."""
    assert rules_of(SOUND.replace("EXT4", "EXT4 #not NTFS")) == []
    assert rules_of(SOUND.replace("Seattle", "#Seattle")) == ["missing-field"]


def test_awss_own_form_is_one_warning() -> None:
    """However many colons have no blank, it is told once, with their number."""
    text = SOUND.replace(": ", ":")

    (problem,) = checked(text).problems

    assert problem.rule == "no-blank"
    assert f"in {text.count(':') - 3} more lines" in problem.message
    assert checked(text).accepted() == checked(SOUND).accepted()
    assert checked(text).accepted().text == text


def test_an_address_without_indentation_is_one_problem() -> None:
    """The fields that stand beside their section are told together."""
    flat = SOUND.replace("\n  ", "\n").replace("- exportBucket", "  - exportBucket")

    (problem,) = checked(flat).problems

    assert problem.field == "returnAddress"
    assert "indent its fields: city, country, name" in problem.advice


@pytest.mark.parametrize(
    ("written", "meant"),
    [("EXT3", "EXT4"), ("ext4", "EXT4"), ("ntfs", "NTFS")],
)
def test_a_value_that_is_nearly_right_is_named(written: str, meant: str) -> None:
    """What to write instead."""
    (problem,) = checked(SOUND.replace("EXT4", written)).problems

    assert problem.advice == f"did you mean {meant}?"


@pytest.mark.parametrize(
    ("directory", "whose"),
    [
        ("S3EXPORT", "/S3EXPORT, which s3export keeps"),
        ("/S3EXPORT/journal", "/S3EXPORT, which s3export keeps"),
        ("S3EXPORT//selection.json/", "/S3EXPORT, which s3export keeps"),
        ("SIGNATURE/x", "/SIGNATURE, which AWS keeps"),
        ("./lost+found", "/lost+found, which ext4 keeps"),
    ],
)
def test_no_load_recovers_into_what_others_keep(directory: str, whose: str) -> None:
    """It is an error of loads, at its line; of AWS's jobs and of disks a warning."""
    text = SOUND + f"recoveryDirectory: {directory}\n"
    found = checked(text)

    (problem,) = for_load(found).problems

    assert problem.severity is Severity.ERROR
    assert (problem.line, problem.field) == (text.count("\n"), "recoveryDirectory")
    assert whose in problem.message
    with pytest.raises(ManifestRejected) as refused:
        remarks_for_load(found)
    assert refused.value.problems == (problem,)
    assert [p.severity for p in found.problems] == [Severity.WARNING]
    assert found.selection() is found.accepted() is found.manifest


@pytest.mark.parametrize(
    "directory", ["S3EXPORTED", "x/S3EXPORT", "signature", "lost", "SIGNATURE.d/x"]
)
def test_other_names_are_free_for_recovery(directory: str) -> None:
    """What only looks like a place that is kept, or does not lie in the root."""
    found = checked(SOUND + f"recoveryDirectory: {directory}\n")

    assert for_load(found).problems == found.problems == ()


def test_what_a_load_refuses_cannot_be_silenced_for_it() -> None:
    """Though the same is a warning, and may be meant, of a job."""
    found = checked(SOUND + "recoveryDirectory: S3EXPORT #x\n")

    assert not for_load(found).without(["kept-directory"]).valid
    quiet = found.without(["kept-directory"])
    assert [p.rule for p in quiet.problems] == ["comment-in-value"]
    with pytest.raises(ManifestRejected):
        remarks_for_load(quiet)


def test_a_silenced_rule_is_not_told() -> None:
    """Warnings and hints are silenced by name, and leave the rest."""
    text = ABROAD.replace("2.0", "1.2")

    quiet = checked(text).without(["customs-needed"])

    assert [p.rule for p in quiet.problems] == ["manifest-version"]


@pytest.mark.parametrize("name", ["file-system", "placeholder", "no-such-rule", ""])
def test_what_costs_the_job_cannot_be_silenced(name: str) -> None:
    """Errors are told, and a name that is none is no silence."""
    with pytest.raises(InputRefused) as refused:
        checked_names([name])
    assert refused.value.next_step


@pytest.mark.parametrize(
    ("device_id", "serial", "same"),
    [
        ("HD001", "HD001", True),
        ("S/N 123XXXY1934883", "123xxxy1934883", True),
        ("S/N 123-XXX-Y", "123XXXY", True),
        ("HD001", "HD002", False),
        ("MyCompany489732", "WD-WX12D345", False),
        ("anything", "", True),
        ("anything", "---", True),
    ],
)
def test_the_disks_serial_is_looked_for_in_device_id(
    device_id: str, serial: str, same: bool
) -> None:
    """Among other text, in any case; a disk without one may have any."""
    manifest = checked(SOUND.replace("HD001", device_id))

    found = list(other_serial(manifest, serial))

    assert (found == []) is same
    for problem in found:
        assert (problem.rule, problem.line) == ("device-id", 2)
