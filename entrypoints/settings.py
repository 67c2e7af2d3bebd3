"""Settings: a file, the environment and options, in that order of strength."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from s3export.adapters.customer_keys import customer_key
from s3export.domain.errors import SettingsRejected
from s3export.domain.secret import Secret

ENVIRONMENT_PREFIX = "S3EXPORT_"
"""``S3EXPORT_BUCKET`` sets ``bucket``, and so on."""


class Settings(BaseModel):
    """What can be set once instead of with every command.

    Credentials are not among them: they come from the standard AWS chain alone. But a
    customer's key for objects is.

    Attributes:
        profile, region, endpoint_url: For AWS, or a server in its place.
        bucket: What backups are compared with where no manifest says it.
        forks: Files hashed and requests made at once; ``None`` chooses.
        sample_size: How many files a verification draws.
        backup_directory: Where partition tables and headers of disks are saved before
            they are erased.
        ignore: Rules of manifests to be silent about; in the environment their names
            are joined by commas.
        request_payer: Say that whoever asks S3 pays for it (requester pays).
        sse_c_key: The key of objects encrypted with a key of the customer; 32 bytes in
            base64 or hexadecimal. Never shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = Field(default=None, pattern="^https?://")
    bucket: str | None = None
    forks: int | None = Field(default=None, ge=1, le=1024)
    sample_size: int = Field(default=100, ge=1)
    backup_directory: str = Field(
        default="/var/lib/s3export/erased-disks", min_length=1
    )
    ignore: tuple[str, ...] = ()
    request_payer: bool = False
    sse_c_key: Secret | None = None

    @field_validator("ignore", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(filter(None, map(str.strip, value.split(","))))
        return value

    @field_validator("sse_c_key", mode="before")
    @classmethod
    def _hidden(cls, value: object) -> object:
        return customer_key(value.encode()) if isinstance(value, str) else value


def load_settings(
    options: Mapping[str, Any] | None = None,
    *,
    config_file: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Merge the three sources and validate the result.

    Args:
        options: What was given on the command line; ``None`` values are not given.
        config_file: A TOML file; by default ``s3export/config.toml`` in
            ``$XDG_CONFIG_HOME`` or ``~/.config``, where there is one.
        environment: By default the process's.

    Raises:
        SettingsRejected: Naming each setting that is unknown or unusable, and where
            it comes from.
    """
    variables = os.environ if environment is None else environment
    path = Path(config_file) if config_file else _default_file(variables)
    origins = {
        str(path): _from_file(path, must_exist=config_file is not None),
        "the environment": _from_environment(variables),
        "the options": {k: v for k, v in (options or {}).items() if v is not None},
    }
    values: dict[str, Any] = {}
    origin_of: dict[str, str] = {}
    for origin, given in origins.items():
        values |= given
        origin_of |= dict.fromkeys(given, origin)
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsRejected(
            "; ".join(
                f"{_name(problem['loc'])} from {origin_of[_name(problem['loc'])]}: "
                f"{problem['msg']}"
                for problem in error.errors()
            ),
            next_step=f"settings are: {', '.join(Settings.model_fields)}",
        ) from None  # pydantic's own text would repeat the values


def _name(location: tuple[int | str, ...]) -> str:
    return str(location[0])


def _default_file(variables: Mapping[str, str]) -> Path:
    home = variables.get("XDG_CONFIG_HOME") or Path(
        variables.get("HOME", "/"), ".config"
    )
    return Path(home, "s3export", "config.toml")


def _from_file(path: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        if must_exist:
            raise SettingsRejected(f"{path}: there is no such settings file") from None
        return {}
    except OSError as error:
        raise SettingsRejected(f"{path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsRejected(f"{path}: not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise SettingsRejected(f"{path}: not UTF-8") from error


def _from_environment(variables: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: variables[variable]
        for name in Settings.model_fields
        if variables.get(variable := ENVIRONMENT_PREFIX + name.upper())
    }
