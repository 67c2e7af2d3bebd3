"""check-manifest, new-manifest and manifest-schema, as an operator runs them."""

import json
import os
import pty
import re
import select
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from samples import CUSTOMS, MANIFEST, checked

from s3export.domain.manifests.rules import RULES

Run = Callable[..., Any]

SOUND = MANIFEST.replace("pinCode: 0123", "trueCryptPassword: k7w-mm2-x9p-4qd-r8s-ta5")
SECRET = "k7w-mm2"
TEN_MISTAKES = (
    SOUND.replace("deviceId", "deviceID")
    .replace("EXT4", "FAT32")
    .replace("logBucket: export-log-bucket\n", "")
    .replace("exportBucket: foo-bucket", "exportBucket: [bucket]\n    prefx: images/")
    .replace("  city: Seattle\n", "")
    .replace("1 Example Street", "P.O. Box 1")
    .replace("notificationEmail: operator@example.com\n", "")
    + "targetDirectory: ../up\neraseDevice: yes\n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manifest.yml"


def test_a_sound_manifest_is_valid(run: Run, path: Path) -> None:
    """Exit 0, and nothing to be said."""
    path.write_text(SOUND)

    ran = run("check-manifest", str(path))

    assert ran.code == 0
    assert ran.out == f"{path}: no problem found\nValid.\n"
    assert ran.err == ""


def test_ten_mistakes_are_ten_problems(run: Run, path: Path) -> None:
    """In one run, exit 4, each with line, column, field, what is wrong and a rule."""
    path.write_text(TEN_MISTAKES)

    ran = run("check-manifest", str(path))
    document = run("check-manifest", str(path), "--json").document()

    assert ran.code == 4
    lines = re.findall(r"^  error  line (\d+), column \d+: (\S+): ", ran.out, re.M)
    assert len(lines) == 10
    assert f"{path}: 10 errors\n" in ran.out
    assert "did you mean deviceId?" in ran.out
    assert "did you mean prefix?" in ran.out
    assert document["valid"] is False
    told = [(str(p["line"]), p["field"]) for p in document["problems"]]
    assert told == lines
    assert {p["rule"] for p in document["problems"]} <= RULES.keys()
    assert all(p["message"] for p in document["problems"])


def test_ten_mistakes_end_every_other_command_before_it_begins(
    run: Run, path: Path, tmp_path: Path
) -> None:
    """create-job names the same ten, exit 4, and asks nobody."""
    path.write_text(TEN_MISTAKES)
    disk = tmp_path / "disk.img"
    disk.write_bytes(b"as it was")

    ran = run("create-job", str(path), str(disk), "--json")

    assert ran.code == 4
    assert ran.out == ""
    assert ran.err.count("\n  line ") == 10
    assert disk.read_bytes() == b"as it was"


def test_warnings_do_not_matter_but_for_the_strict(run: Run, path: Path) -> None:
    """They are told with their name, by which they are silenced."""
    path.write_text(SOUND.replace("2.0", "1.2"))

    assert run("check-manifest", str(path)).code == 0
    assert "[manifest-version]" in run("check-manifest", str(path)).out
    assert run("check-manifest", str(path), "--strict").code == 4
    quiet = run("check-manifest", str(path), "--strict", "--ignore", "manifest-version")
    assert quiet.code == 0
    assert "no problem found" in quiet.out
    assert "1.2" not in run("check-manifest", str(path), "--quiet-warnings").out


def test_rules_are_ignored_by_settings_too(
    run: Run, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the settings file, or by the environment."""
    path.write_text(SOUND.replace("2.0", "1.2").replace("98101", "02134"))
    config = tmp_path / "config.toml"
    config.write_text('ignore = ["manifest-version", "unquoted-value"]\n')

    by_file = run("check-manifest", str(path), "--config", str(config))
    monkeypatch.setenv("S3EXPORT_IGNORE", "manifest-version, unquoted-value")
    by_environment = run("check-manifest", str(path))

    assert "no problem found" in by_file.out
    assert "no problem found" in by_environment.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check-manifest"], "which manifest?"),
        (["check-manifest", "/no.yml"], "there is no such file"),
        (["check-manifest", "{path}", "--ignore", "nonsense"], "is no rule"),
        (["check-manifest", "{path}", "--ignore", "malformed"], "cannot be ignored"),
        (["check-manifest", "{path}", "--disk-size", "4TB"], "add --online"),
        (["new-manifest", "{path}"], "is there already"),
        (["new-manifest", "--generate-password"], "is not printed"),
        (["new-manifest", "/no/where.yml"], "No such file or directory"),
        (["new-manifest", "--bucket", "Bad Bucket!"], "'Bad Bucket!' is not a bucket"),
        (["new-manifest", "--bucket", "foo", "--bucket", "s3://_/a"], "a name is 3 to"),
        (["new-manifest", "--log-bucket", "a b"], "'a b' is not a bucket's name"),
        (["new-manifest", "--set", "deviceId"], "a value is missing"),
        (["new-manifest", "--set", "colour=blue"], "'colour' is no field"),
        (["new-manifest", "--set", "customs=x"], "'customs' is no field"),
        (["new-manifest", "--set", "trueCryptPassword=x"], "every user"),
    ],
)
def test_every_bad_input_gets_one_clear_error(
    run: Run, path: Path, arguments: list[str], said: str
) -> None:
    """Exit 4, what is wrong, and what to do."""
    path.write_text(SOUND)

    ran = run(*(a.format(path=path) for a in arguments))

    assert ran.code == 4
    assert said in ran.err
    assert "next: " in ran.err
    assert ran.out == ""
    assert path.read_text() == SOUND


def test_a_disk_that_is_not_there_is_a_devices_error(run: Run, path: Path) -> None:
    """Exit 5."""
    path.write_text(SOUND)

    assert run("check-manifest", str(path), "--device", "/no-disk").code == 5


LOAD = (
    "manifestVersion: 2.0\n"
    "trueCryptPassword: a long sentence that nobody else knows\n"
    "operations:\n  - exportBucket: foo-bucket\n"
)


def test_a_manifest_for_loading_alone_is_held_against_what_a_load_needs(
    run: Run, path: Path
) -> None:
    """Exit 0 where AWS's jobs would miss an address; without --for it says so."""
    path.write_text(LOAD)

    ran = run("check-manifest", str(path), "--for", "load-device")
    for_jobs = run("check-manifest", str(path))

    assert (ran.code, ran.out) == (0, f"{path}: no problem found\nValid.\n")
    assert for_jobs.code == 4
    assert "(--for load-device)" in for_jobs.out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LOAD.replace("foo-bucket", "[fill in]"), "operations[0].exportBucket"),
        (LOAD + "logBucket: '[fill in]'\n", "logBucket"),
        (LOAD + "targetDirectory: ../up\n", "targetDirectory"),
        (LOAD.replace("a long", "a long" * 20), "[password-too-long]"),
        ("manifestVersion: 2.0\n", "operations"),
        (LOAD + "recoveryDirectory: S3EXPORT/x\n", "[kept-directory]"),
        (LOAD + "logBuckt: logs\n", "[misspelt-field]"),
        (LOAD + "targetDirectry: x\n", "[misspelt-field]"),
        (LOAD.replace("CryptP", "CryptoP"), "(did you mean trueCryptPassword?)"),
        ("- a list\n", "[malformed]"),
    ],
)
def test_what_a_load_cannot_do_with_is_an_error(
    run: Run, path: Path, text: str, said: str
) -> None:
    """Exit 4, with the field."""
    path.write_text(text)

    ran = run("check-manifest", str(path), "--for", "load-device")

    assert ran.code == 4
    assert said in ran.out
    assert "Not valid: load-device cannot load a disk with it." in ran.out


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (LOAD.replace("trueCryptPassword", "pinCode"), "password-elsewhere"),
        ("operations:\n  - exportBucket: b-1-c\n", "password-elsewhere"),
        (LOAD + "fileSystm: EXT4\n", "misspelt-field"),
    ],
)
def test_what_a_load_passes_over_is_a_warning(
    run: Run, path: Path, text: str, rule: str
) -> None:
    """Exit 0: a password can be given to load-device itself."""
    path.write_text(text)

    ran = run("check-manifest", str(path), "--for=load-device")

    assert ran.code == 0
    assert f"[{rule}]" in ran.out


def test_a_load_is_refused_where_it_could_not_end(run: Run, path: Path) -> None:
    """Before the disk is looked at."""
    path.write_text(LOAD + "recoveryDirectory: S3EXPORT/journal\n")

    ran = run("load-device", str(path), str(path.with_name("none")), "--dry-run")

    assert ran.code == 4
    assert "line 5, column 20: recoveryDirectory: lies in /S3EXPORT" in ran.err


def test_a_load_warns_of_what_it_passes_over_in_the_manifest(
    run: Run, path: Path
) -> None:
    """Before anything else; not of what AWS's jobs alone need."""
    path.write_text(LOAD + "logBuckt: logs\nserviceLevel: fast\n")

    ran = run("load-device", str(path), str(path.with_name("none")), "--dry-run")

    assert f"warning: {path}: line 5, column 1: logBuckt: is not a field" in ran.err
    assert "(did you mean logBucket?) [misspelt-field]" in ran.err
    assert "serviceLevel" not in ran.err


def test_a_load_onto_several_disks_is_told_how_it_goes_on(
    run: Run, s3: Any, path: Path
) -> None:
    """What S3 says is held against the load, too."""
    s3.create_bucket(Bucket="foo-bucket")
    for number in range(3):
        s3.put_object(Bucket="foo-bucket", Key=f"k{number}", Body=bytes(9 << 20))
    path.write_text(LOAD)
    command = ("check-manifest", str(path), "--for=load-device", "--online")

    ran = run(*command, "--disk-size=60MB")

    assert ran.code == 0
    assert "load the next one with --continue-from" in ran.out


def test_rules_are_listed(run: Run) -> None:
    """By name, with severity; as JSON with the error of AWS that each foresees."""
    listed = run("check-manifest", "--list-rules")
    document = run("check-manifest", "--list-rules", "--json").document()

    assert listed.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()] == [*RULES]
    assert {d["name"]: d["aws_error"] for d in document}["file-system"] == (
        "InvalidFileSystemException"
    )


def test_s3_is_asked_online(run: Run, s3: Any, path: Path) -> None:
    """How many objects and bytes are selected, and how many disks that takes."""
    for bucket in ("foo-bucket", "export-log-bucket"):
        s3.create_bucket(Bucket=bucket)
    for number in range(3):
        s3.put_object(Bucket="foo-bucket", Key=f"k{number}", Body=bytes(9 << 20))
    path.write_text(SOUND)

    ran = run("check-manifest", str(path), "--online")
    small = run(
        "check-manifest", str(path), "--online", "--disk-size", "60MB", "--json"
    )

    assert ran.code == 0
    assert "Selected now, in us-east-1:" in ran.out
    assert "In all 3 objects, 28.3 MB." in ran.out
    selection = small.document()["selection"]
    assert (selection["objects"], selection["size_bytes"]) == (3, 27 << 20)
    assert [disk["begin_marker"] for disk in selection["disks"]] == ["", "k1"]
    (full,) = small.document()["problems"]
    assert full["rule"] == "disk-full"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="foo-bucket")["Contents"]] == [
        "k0",
        "k1",
        "k2",
    ]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="export-log-bucket")


def test_a_disk_that_is_too_small_for_an_object_is_said_to_be(
    run: Run, s3: Any, path: Path
) -> None:
    """Exit 4; how many objects are too large, and not that they fit."""
    for bucket in ("foo-bucket", "export-log-bucket"):
        s3.create_bucket(Bucket=bucket)
    for key in s3.list_objects_v2(Bucket="foo-bucket").get("Contents", []):
        s3.delete_object(Bucket="foo-bucket", Key=key["Key"])
    s3.put_object(Bucket="foo-bucket", Key="large", Body=bytes(9 << 20))
    path.write_text(SOUND)
    one = run("check-manifest", str(path), "--online").out
    s3.put_object(Bucket="foo-bucket", Key="small", Body=b"s")
    command = ("check-manifest", str(path), "--online", "--disk-size")

    small = run(*command, "45MB")
    of_small = SOUND.replace("foo-bucket", "foo-bucket\n    prefix: small")
    path.write_text(of_small)
    byte = run("check-manifest", str(path), "--online").out
    path.write_text(SOUND)
    document = run(*command, "45MB", "--json").document()
    enough = run(*command, "100MB")

    assert "In all 1 object, 9.4 MB." in one
    assert "In all 1 object, 1 byte." in byte
    assert small.code == 4
    assert "the object 'large' of 9,437,184 bytes fits on no disk" in small.out
    assert ": 1 of them is too large for disks of 45.0 MB.\n" in small.out
    assert document["selection"]["too_large_for_the_disk"] == 1
    assert enough.code == 0
    assert "they fit on one of the disks of 100.0 MB, as far as reckoned" in enough.out


def test_what_s3_does_not_have_is_a_problem_with_its_line(
    run: Run, s3: Any, path: Path
) -> None:
    """Bucket by bucket, and exit 4; no server at all is exit 6."""
    s3.create_bucket(Bucket="full-bucket")
    s3.put_object(Bucket="full-bucket", Key="k", Body=b"k")
    text = SOUND.replace("foo-bucket", "full-bucket").replace("export-log", "no-log")
    path.write_text(
        text.replace("returnAddress", "  - exportBucket: no-bucket\nreturnAddress")
    )

    ran = run("check-manifest", str(path), "--online")
    dead = run(
        "check-manifest", str(path), "--online", "--endpoint-url", "http://127.0.0.1:9"
    )

    assert ran.code == 4
    assert "line 4, column 12: logBucket: there is no bucket" in ran.out
    assert re.search(r"full-bucket +1 object +1 byte\n", ran.out)
    assert re.search(r"no-bucket +not listed *\n", ran.out)
    assert dead.code == 6


def test_a_new_manifest_is_complete_but_for_what_was_not_said(
    run: Run, path: Path
) -> None:
    """It parses, only its owner can read it, and what is left is told by line."""
    ran = run(
        "new-manifest",
        str(path),
        "--bucket",
        "foo-bucket/images/",
        "--bucket",
        "other-bucket",
        "--generate-password",
        "--customs",
    )

    assert ran.code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = checked(path.read_text())
    assert {problem.rule for problem in found.problems} == {"placeholder"}
    for problem in found.problems:
        assert re.search(rf"line {problem.line} +{problem.field} ", ran.out)
    assert found.manifest is not None
    assert [(o.bucket, o.prefix) for o in found.manifest.operations] == [
        ("foo-bucket", "images/"),
        ("other-bucket", ""),
    ]
    assert found.manifest.truecrypt_password is not None
    assert found.manifest.truecrypt_password.reveal() not in ran.out + ran.err


def test_a_new_manifest_of_all_options_is_valid(
    run: Run, path: Path, tmp_path: Path
) -> None:
    """Nothing is left to be filled in, customs included."""
    password = tmp_path / "password"
    password.write_text("k7w-mm2-x9p-4qd-r8s-ta5\nanother line\n")
    values = {
        "returnAddress.name": "Jo Operator",
        "returnAddress.street1": "1 Example Street",
        "returnAddress.city": "Berlin",
        "returnAddress.postalCode": "01234",
        "returnAddress.phoneNumber": "+49 30 123456",
        "returnAddress.country": "Germany",
    }
    for line in CUSTOMS.splitlines()[1:]:
        name, _, value = line.strip().partition(": ")
        values[f"customs.{name}"] = value

    ran = run(
        *("new-manifest", str(path), "--bucket", "foo-bucket"),
        *("--device-id", "HD001", "--log-bucket", "export-log-bucket"),
        *("--email", "jo@example.com", "--password-file", str(password)),
        *(a for name, value in values.items() for a in ("--set", f"{name}={value}")),
        "--json",
    )

    assert ran.code == 0
    assert ran.document()["valid"] is True
    assert ran.document()["problems"] == []
    assert "k7w" not in ran.out + ran.err
    manifest = checked(path.read_text()).accepted()
    assert manifest.truecrypt_password is not None
    assert manifest.truecrypt_password.reveal() == "k7w-mm2-x9p-4qd-r8s-ta5"
    assert manifest.return_address.postal_code == "01234"
    assert manifest.customs is not None


@pytest.mark.parametrize("password", [(), ("--generate-password",)])
def test_a_new_manifest_for_a_load_is_enough_for_it(
    run: Run, path: Path, password: tuple[str, ...]
) -> None:
    """Buckets alone: nothing is left to be filled in, and AWS's needs are not told."""
    for_load = ("--for", "load-device")

    ran = run(
        "new-manifest", str(path), "--bucket", "foo-bucket/a/", *for_load, *password
    )

    assert ran.code == 0
    assert f"Then: s3export check-manifest {path} --for load-device\n" in ran.out
    assert "fill" not in ran.out
    text = path.read_text()
    assert not re.search("fill in|deviceId|returnAddress|customs|notification", text)
    assert run("check-manifest", str(path), *for_load).code == 0
    manifest = checked(text).selection()
    assert [(o.bucket, o.prefix) for o in manifest.operations] == [("foo-bucket", "a/")]
    assert bool(manifest.truecrypt_password) == bool(password)


def test_a_new_manifest_for_a_load_keeps_what_is_given(run: Run) -> None:
    """A log bucket, and even a serial number that the load does not need."""
    given = ("--log-bucket", "export-log-bucket", "--device-id", "HD001")

    text = run("new-manifest", "--for", "load-device", "--bucket", "foo", *given).out

    assert "\nlogBucket: export-log-bucket\n" in text
    assert "\ndeviceId: HD001\n" in text


def test_a_template_is_printed_without_a_secret(run: Run) -> None:
    """To standard output, for a PIN or a password to be filled in."""
    assert "\ntrueCryptPassword: [fill in]\n" in run("new-manifest").out
    assert "\npinCode: [fill in]\n" in run("new-manifest", "--pin").out
    assert "trueCryptPassword" not in run("new-manifest", "--pin").out


def test_the_schema_accepts_what_is_written(run: Run, path: Path) -> None:
    """And is a schema itself."""
    ran = run("manifest-schema")
    schema = json.loads(ran.out)
    path.write_text(SOUND)

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(SOUND), schema)
    assert run("manifest-schema", "--json").document() == schema


@pytest.mark.parametrize("more", [[], ["--json"], ["--verbose"], ["--strict"]])
@pytest.mark.parametrize(
    "text",
    [
        SOUND,
        TEN_MISTAKES,
        SOUND.replace("trueCryptPassword", "trueCryptPasword"),
        SOUND.replace("Password: k7w", "Password: : k7w"),
        SOUND.replace("HD001", "k7w-mm2-x9p-4qd-r8s-ta5"),
        SOUND.replace("EXT4", "k7w-mm2-x9p-4qd-r8s-ta5"),
    ],
)
def test_no_output_holds_the_password(
    run: Run, s3: Any, path: Path, more: list[str], text: str
) -> None:
    """Of checking, alone and with S3, whatever is wrong."""
    path.write_text(text)

    for online in ([], ["--online"]):
        ran = run("check-manifest", str(path), *online, *more)
        assert SECRET not in ran.out + ran.err


class Typing:
    """A person at a terminal, who answers what the program asks."""

    def __init__(self, *arguments: str) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, "-m", "s3export", *arguments])
        self.seen = ""

    def answer(self, question: str, text: str) -> None:
        """Wait for a question, then type the answer."""
        start = len(self.seen)
        self._wait(lambda: question in self.seen[start:])
        os.write(self.terminal, f"{text}\n".encode())

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        self._wait(lambda: False)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _wait(self, enough: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not enough():
            ready, _, _ = select.select([self.terminal], [], [], 1)
            assert time.monotonic() < deadline, self.seen
            if not ready:
                continue
            try:
                got = os.read(self.terminal, 4096)
            except OSError:  # the program has closed its terminal
                return
            if not got:
                return
            self.seen += got.decode()


def test_a_state_is_asked_for_after_the_country_that_has_states(path: Path) -> None:
    """What is warned of is named, and what to write stands in brackets."""
    options = ("--device-id=HD001", "--log-bucket=export-log-bucket", "--pin")
    person = Typing("new-manifest", str(path), *options, "--email=jo@example.com")
    person.answer("exportBucket (", "s3://no_/x Foo-bucket")
    person.answer("exportBucket (", "foo-bucket")
    for name, value in (
        ("name", "Jo"),
        ("street1", "P.O. Box 1"),
        ("street1", "1 Example Street"),
        ("city", "Seattle"),
        ("postalCode", "98101"),
        ("phoneNumber", "206-555-1000"),
        ("country", "USA"),
        ("stateOrProvince", "WA"),
    ):
        person.answer(f"{name} (", value)

    assert person.end() == 0, person.seen
    told = re.findall(r"warning: (.*)\r", person.seen)
    assert told == [
        "operations[0].exportBucket: 'no_' cannot be the name of a bucket (3 to 63 of "
        "a-z, 0-9, - and .)",
        "operations[1].exportBucket: 'Foo-bucket' is a bucket's name of the old kind, "
        "which AWS warns about",
        "returnAddress.street1: is a PO box (parcels need a street)",
    ]
    assert checked(path.read_text()).manifest is not None
    assert "  stateOrProvince: WA\n" in path.read_text()


def test_of_a_load_a_person_is_asked_little(path: Path) -> None:
    """For the buckets, and for a password."""
    person = Typing("new-manifest", str(path), "--for", "load-device")
    person.answer("exportBucket (", "foo-bucket")
    person.answer("empty: generate one", "")

    assert person.end() == 0, person.seen
    assert "(empty" in person.seen and "logBucket" not in person.seen
    assert checked(path.read_text()).selection().truecrypt_password is not None


def test_a_person_is_asked_for_what_is_missing(path: Path) -> None:
    """A wrong answer is asked for again, an empty one leaves the field open."""
    person = Typing("new-manifest", str(path), "--device-id", "HD001")
    person.answer("logBucket (", "a/b")
    person.answer(
        "logBucket: 'a/b' cannot be the name of a bucket (write the name alone;", ""
    )
    person.answer("notificationEmail (", "jo@example.com")
    person.answer("exportBucket (", "foo-bucket/images/ other-bucket")
    for name, value in (
        ("name", "Jo"),
        ("street1", "1 Example Street"),
        ("city", "Berlin"),
        ("postalCode", "01234"),
        ("phoneNumber", "+49 30 123456"),
        ("country", "Germany"),
    ):
        person.answer(f"{name} (", value)
    person.answer("Write a customs section? [y/N]", "y")
    person.answer("dataDescription (", "Backups")
    person.answer("encryptedData (", "maybe")
    person.answer("encryptedData (", "no")
    for name in (
        "encryptionClassification",
        "exportCertifierName",
        "requiresExportLicense",
        "deviceValue",
        "deviceCountryOfOrigin",
    ):
        person.answer(f"{name} (", "")
    person.answer("deviceType (", "sataDrive")
    person.answer(
        "Password of the container (empty: generate one)", "one of mine, 2026!"
    )
    person.answer("again", "another")
    person.answer("(empty: generate one)", "")

    assert person.end() == 0, person.seen
    found = checked(path.read_text())
    assert {p.field for p in found.problems} == {
        "logBucket",
        "customs.exportCertifierName",
        "customs.requiresExportLicense",
        "customs.deviceValue",
        "customs.deviceCountryOfOrigin",
    }
    assert found.manifest is not None
    assert found.manifest.device_id == "HD001"
    assert found.manifest.return_address.postal_code == "01234"
    assert [o.bucket for o in found.manifest.operations] == [
        "foo-bucket",
        "other-bucket",
    ]
    assert found.manifest.truecrypt_password is not None
    generated = found.manifest.truecrypt_password.reveal()
    assert len(generated) == 34
    assert generated not in person.seen
    assert "the two are not the same" in person.seen
