"""Settings come from a file, the environment and options."""

import base64
from pathlib import Path

import pytest

from s3export.adapters.customer_keys import customer_key_in
from s3export.domain.errors import FileRefused, SettingsRejected
from s3export.domain.secret import Secret
from s3export.entrypoints.container import application
from s3export.entrypoints.settings import Settings, load_settings


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


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"S3EXPORT_FORKS": "many"}, "forks from the environment"),
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


def test_an_unknown_setting_in_the_file_is_refused(tmp_path: Path) -> None:
    """A misspelt setting is an error and not silently ignored."""
    file = tmp_path / "config.toml"
    file.write_text('buckt = "x"\n')

    with pytest.raises(SettingsRejected, match="buckt from"):
        load_settings(config_file=str(file), environment={})


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


KEY = bytes(range(32))


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
