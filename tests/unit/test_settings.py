"""Settings come from a file, the environment and options."""

import base64
import tomllib
from pathlib import Path

import pytest

from s3export.adapters.customer_keys import customer_key_in
from s3export.domain.errors import FileRefused, SettingsRejected
from s3export.domain.secret import Secret
from s3export.entrypoints.container import application
from s3export.entrypoints.settings import (
    SECRETS,
    Settings,
    configuration,
    load_settings,
    option_of,
)
from s3export.entrypoints.settings_file import read_settings_file, template

KEY = bytes(range(32))


def test_options_beat_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    """The stronger source wins, value by value."""
    file = tmp_path / "config.toml"
    file.write_text('region = "eu-west-1"\nforks = 2\nbucket = "from-file"\n')

    settings = load_settings(
        {"forks": 8, "region": None},
        config_file=str(file),
        environment={"S3EXPORT_FORKS": "4", "S3EXPORT_REGION": "us-west-2"},
    )

    assert settings == Settings(forks=8, region="us-west-2", bucket="from-file")


def test_nothing_set_gives_the_defaults() -> None:
    """Without any source a verification draws 100 files."""
    settings = load_settings(environment={"HOME": "/nonexistent"})

    assert settings == Settings()
    assert settings.sample_size == 100


def test_all_files_can_be_asked_for_once_for_all() -> None:
    """As with the option; other words are refused."""
    assert (
        load_settings(environment={"S3EXPORT_SAMPLE_SIZE": "all"}).sample_size is None
    )
    assert load_settings({"sample_size": "all"}, environment={}).sample_size is None


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"S3EXPORT_FORKS": "x"}, r"forks from the environment \(S3EXPORT_FORKS\)"),
        ({"S3EXPORT_SAMPLE_SIZE": "0"}, "sample_size from the environment"),
        ({"S3EXPORT_ENDPOINT_URL": "ftp://x"}, "endpoint_url from the environment"),
    ],
)
def test_an_unusable_value_is_named_with_its_origin(
    environment: dict[str, str], said: str
) -> None:
    """A refusal says which setting is wrong and where it comes from."""
    with pytest.raises(SettingsRejected, match=said):
        load_settings(environment=environment)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("endpoint_url", "127.0.0.1:5055", "write http://127.0.0.1:5055"),
        ("endpoint_url", "localhost", "write http://localhost"),
        ("endpoint_url", "s3.example.com/x", "write https://s3.example.com/x, or"),
        ("endpoint_url", "ftp://x", "'ftp://x' must be an address that begins with"),
        ("endpoint_url", "me:secret@host", ": must be an address"),
        ("forks", "abc", "'abc' must be a whole number"),
        ("forks", "1.5", "'1.5' must be a whole number"),
        ("forks", "2000", "'2000' must be 1024 or less"),
        ("sample_size", "0", "'0' must be 1 or more"),
        ("request_payer", "perhaps", "'perhaps' must be true or false"),
        ("sse_c_key", "secret", "is 32 bytes"),
    ],
)
def test_what_is_wrong_with_a_value_is_told_in_words_of_the_operator(
    name: str, value: str, said: str
) -> None:
    """With the value, unless it may be secret, and what to write."""
    with pytest.raises(SettingsRejected) as raised:
        load_settings({name: value}, environment={"HOME": "/nonexistent"})

    assert said in raised.value.message
    assert raised.value.next_step
    assert "secret" not in raised.value.message
    assert "Input" not in raised.value.message


def test_a_variable_that_sets_nothing_is_warned_of() -> None:
    """With the nearest that is known; the password's is one that is."""
    found = configuration(
        environment={
            "HOME": "/nonexistent",
            "S3EXPORT_BUKET": "hidden",
            "S3EXPORT_TRUECRYPT_PASSWORD": "hidden",
            "S3EXPORTER": "hidden",
        }
    )

    assert found.warnings == (
        "S3EXPORT_BUKET in the environment is no setting; "
        "did you mean S3EXPORT_BUCKET?",
    )


def test_an_unknown_setting_in_the_file_is_refused(tmp_path: Path) -> None:
    """A misspelt setting is an error and not silently ignored."""
    file = tmp_path / "config.toml"
    file.write_text('buckt = "x"\n')

    with pytest.raises(SettingsRejected, match="buckt from"):
        load_settings(config_file=str(file), environment={})


FILES: tuple[tuple[str, dict[str, int]], ...] = (
    ("", {}),
    ("buckt = 1\n", {"buckt": 1}),
    ("# a\n\nforks = 2\r\nbucket = 'x'", {"forks": 3, "bucket": 4}),
    ('ignore = [\n  "a",\n  "b",\n]\nforks = 2', {"ignore": 1, "forks": 5}),
    ('x = """\nforks = 1\n"""\n"forks" = 2\n', {"x": 1, "forks": 4}),
    ("a.b = 1\na.c = 2\n[t]\nforks = 3\n[[u]]\nbucket = 1\n", {"a": 1, "t": 3, "u": 5}),
    ("[t.u]\nx = 1\n[t]\n", {"t": 1}),
)


@pytest.mark.parametrize(("content", "lines"), FILES)
def test_a_key_is_told_with_its_line(
    tmp_path: Path, content: str, lines: dict[str, int]
) -> None:
    """Also behind values of several lines, which may look like settings."""
    path = tmp_path / "config.toml"
    path.write_bytes(content.encode())

    file = read_settings_file(path, must_exist=True)

    assert {key: file.place(key) for key in file.values} == {
        key: f"{path}:{line}" for key, line in lines.items()
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("\nbuckt = 'x'", r"buckt from .*:2: no such setting; did you mean bucket\?"),
        ("sample-size = 5", r"did you mean sample_size\?"),
        ("Region = 'x'", r"did you mean region\?"),
        ("xyzzy = 1", r"xyzzy from .*:1: no such setting$"),
        ("[aws]\nprofile = 'x'", r"aws from .*:1: there are no tables; .*\[aws\]"),
        ("aws_secret_access_key = 'Tr0ub4dor'", "secrets do not belong here"),
        ("truecrypt_password = 'Tr0ub4dor'", "--password-file"),
        ("a = 1\nforks = 0", "(?s)a from .*forks from .*:2: 0 must be 1 or more"),
    ],
)
def test_everything_wrong_with_a_file_is_told_with_its_line(
    tmp_path: Path, content: str, said: str
) -> None:
    """An unknown key with the nearest that is known; no value that may be a secret."""
    path = tmp_path / "config.toml"
    path.write_text(content)

    with pytest.raises(SettingsRejected, match=said) as raised:
        load_settings(config_file=str(path), environment={})

    assert "Tr0ub4dor" not in f"{raised.value} {raised.value.next_step}"


def test_every_setting_has_an_origin(tmp_path: Path) -> None:
    """The source that won, with the option, the variable or the line."""
    path = tmp_path / "config.toml"
    path.write_text('forks = 2\nregion = "a"\nbucket = "b"\n')

    found = configuration(
        {"forks": 8},
        config_file=str(path),
        environment={"S3EXPORT_REGION": "r", "S3EXPORT_FORKS": "4"},
    )

    told = {name: str(origin) for name, origin in found.origins.items()}
    assert told == dict.fromkeys(Settings.model_fields, "default") | {
        "forks": "option --forks",
        "region": "environment S3EXPORT_REGION",
        "bucket": f"file {path}:3",
    }


@pytest.mark.parametrize(("environment", "used"), [({}, True), ({"KEY": "1"}, False)])
def test_a_secret_in_the_file_draws_a_warning(
    tmp_path: Path, environment: dict[str, str], used: bool
) -> None:
    """Whether or not it is the one that is used; its value is not repeated."""
    key = base64.b64encode(KEY).decode()
    path = tmp_path / "config.toml"
    path.write_text(f'sse_c_key = "{key}"\n')
    variables = {"S3EXPORT_SSE_C_KEY": key} if environment else {}

    found = configuration(config_file=str(path), environment=variables)

    (warning,) = found.warnings
    assert f"sse_c_key in {path}:1 is a secret" in warning
    assert ("not used" in warning) is not used
    assert key not in repr(found.warnings)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_template_names_every_setting_but_secrets(name: str) -> None:
    """Without the marks of comments it is a file that can be used."""
    uncommented = [
        line.removeprefix("# ")
        for line in template().splitlines()
        if line.startswith("# ") and " = " in line
    ]

    values = tomllib.loads("\n".join(uncommented))

    assert (name in values) is (name not in SECRETS)
    Settings(**values)  # every value can be used


@pytest.mark.parametrize("content", ["forks = = 2", "[[["])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, content: str) -> None:
    """The file is named, and what is wrong with it."""
    file = tmp_path / "config.toml"
    file.write_text(content)

    with pytest.raises(SettingsRejected, match=r"config\.toml: not TOML"):
        load_settings(config_file=str(file), environment={})


def test_a_named_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Only the default file may be missing."""
    with pytest.raises(SettingsRejected, match="no such settings file"):
        load_settings(config_file=str(tmp_path / "nope.toml"), environment={})


@pytest.mark.parametrize(
    "written",
    [
        KEY,
        base64.b64encode(KEY),
        base64.b64encode(KEY) + b"\n",
        KEY.hex().encode(),
        b" " + KEY.hex().upper().encode() + b"\r\n",
    ],
)
def test_a_customers_key_is_read_however_it_is_written(
    tmp_path: Path, written: bytes
) -> None:
    """As bytes, in base64 and in hexadecimal."""
    file = tmp_path / "key"
    file.write_bytes(written)

    assert customer_key_in(str(file)).reveal() == base64.b64encode(KEY).decode()


@pytest.mark.parametrize(
    "written",
    [b"", b"secret", KEY[:31], KEY.hex().encode()[:-1], b"g" * 64, b"\xff" * 33],
)
def test_what_is_no_key_is_refused_without_repeating_it(
    tmp_path: Path, written: bytes
) -> None:
    """The file is named, and what it should have."""
    file = tmp_path / "file"
    file.write_bytes(written)

    with pytest.raises(FileRefused, match=r"file: .*32 bytes") as raised:
        customer_key_in(str(file))

    assert "secret" not in str(raised.value)


def test_a_customers_key_is_never_shown() -> None:
    """Neither the settings' text nor a refusal has it."""
    key = base64.b64encode(KEY).decode()

    settings = load_settings(environment={"S3EXPORT_SSE_C_KEY": key, "HOME": "/"})

    assert settings.sse_c_key == Secret(key)
    assert key not in f"{settings!r} {settings}"
    with pytest.raises(SettingsRejected, match="sse_c_key from") as raised:
        load_settings(environment={"S3EXPORT_SSE_C_KEY": key[:-9], "HOME": "/"})
    assert key[:9] not in f"{raised.value} {raised.value.next_step}"


def test_options_of_s3_reach_its_store(tmp_path: Path) -> None:
    """Who pays, and the key; the key goes by https alone."""
    file = tmp_path / "config.toml"
    file.write_text("request_payer = true\n")

    settings = load_settings(config_file=str(file), environment={})

    assert settings.request_payer
    remote = Settings(
        endpoint_url="http://s3.example.com",
        sse_c_key=Secret(base64.b64encode(KEY).decode()),
    )
    with pytest.raises(SettingsRejected, match="unencrypted"):
        application(remote).adapters.object_store()


DOCUMENTED = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_every_setting_is_documented_with_its_option_and_its_variable() -> None:
    """In the order of the settings, and no other one."""
    rows = [r for r in DOCUMENTED.read_text().splitlines() if r.startswith("| `")]

    assert [row.split(" | ")[:3] for row in rows] == [
        [f"| `{name}`", f"`{option_of(name)}`", f"`S3EXPORT_{name.upper()}`"]
        for name in Settings.model_fields
    ]
