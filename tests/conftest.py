"""What all tests share: no credentials, settings or profiles of whoever runs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

# For tools/mutate: the same examples each time, and none of them made smaller.
settings.register_profile(
    "mutants", derandomize=True, phases=[Phase.explicit, Phase.generate]
)

pytest_plugins = [
    "fixtures.backups",
    "fixtures.botocore_models",
    "fixtures.uml",
    "fixtures.command_line",
    "fixtures.aws_cli",
    "fixtures.disks",
    "fixtures.no_processes",
    "fixtures.servers",
]


@pytest.fixture(autouse=True)
def own_environment(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    home = tmp_path_factory.mktemp("home")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "S3EXPORT_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("S3EXPORT_BACKUP_DIRECTORY", str(home / "erased-disks"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(Path(home, "aws-config")))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(Path(home, "aws-keys")))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    yield
