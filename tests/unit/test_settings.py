"""Settings come from a file, the environment and options."""

from pathlib import Path

import pytest

from s3export.domain.errors import SettingsRejected
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
