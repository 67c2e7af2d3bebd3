"""Settings: a file, the environment and options, in that order of strength."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from s3export.adapters.customer_keys import customer_key
from s3export.adapters.keys import PASSWORD_VARIABLE
from s3export.domain.errors import SettingsRejected
from s3export.domain.nearest import did_you_mean
from s3export.domain.secret import Secret
from s3export.entrypoints.settings_faults import fault
from s3export.entrypoints.settings_file import (
    SettingsFile,
    read_settings_file,
    unknown_keys,
)

SECRETS = frozenset({"sse_c_key"})
"""Settings that are never shown."""

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
        sample_size: How many files a verification draws; ``None``, written ``all``, for
            every file.
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
    sample_size: int | None = Field(default=100, ge=1)
    backup_directory: str = Field(
        default="/var/lib/s3export/erased-disks", min_length=1
    )
    ignore: tuple[str, ...] = ()
    request_payer: bool = False
    sse_c_key: Secret | None = None

    @field_validator("sample_size", mode="before")
    @classmethod
    def _all(cls, value: object) -> object:
        return None if value == "all" else value

    @field_validator("ignore", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(filter(None, map(str.strip, value.split(","))))
        return value

    @field_validator("ignore")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        from s3export.domain.manifests.rules import why_not_ignored

        if reasons := [*filter(None, map(why_not_ignored, names))]:
            raise ValueError(", ".join(reasons))
        return names

    @field_validator("sse_c_key", mode="before")
    @classmethod
    def _hidden(cls, value: object) -> object:
        return customer_key(value.encode()) if isinstance(value, str) else value


@dataclass(frozen=True)
class Origin:
    """What a setting comes from.

    Attributes:
        kind: ``option``, ``environment``, ``file`` or ``default``.
        place: The option, the variable, or ``path:line``; empty for the default.
    """

    kind: str
    place: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.place)))


DEFAULT = Origin("default")


@dataclass(frozen=True)
class Configuration:
    """Settings, and where each comes from.

    Attributes:
        origins: For every setting.
        warnings: What is unwise about them.
    """

    settings: Settings
    file: SettingsFile
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...] = ()


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
    return configuration(
        options, config_file=config_file, environment=environment
    ).settings


def configuration(
    options: Mapping[str, Any] | None = None,
    *,
    config_file: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Configuration:
    """Do as `load_settings`, and keep where each setting comes from.

    Raises:
        SettingsRejected: As there.
    """
    variables = os.environ if environment is None else environment
    path = settings_path(config_file, variables)
    file = read_settings_file(path, must_exist=config_file is not None)
    known = Settings.model_fields
    values: dict[str, Any] = {}
    origins = dict.fromkeys(known, DEFAULT)
    for name in known:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if (options or {}).get(name) is not None:
            values[name] = (options or {})[name]
            origins[name] = Origin("option", option_of(name))
        elif variables.get(variable):
            values[name] = variables[variable]
            origins[name] = Origin("environment", variable)
        elif name in file.values:
            values[name] = file.values[name]
            origins[name] = Origin("file", file.place(name))
    unknown = list(unknown_keys(file, known))
    problems = list(unknown)
    try:
        settings = Settings(**values)
    except ValidationError as error:  # its own text would repeat the values
        problems += [
            f"{(name := str(problem['loc'][0]))} from {_where(origins[name])}: "
            f"{fault(name, problem, values[name])}"
            for problem in error.errors()
        ]
    if problems:
        raise SettingsRejected(
            "; ".join(problems),
            next_step=f"settings are: {', '.join(known)}"
            if unknown
            else "correct it, then run the same command again",
            problems=tuple(problems) if len(problems) > 1 else (),
        )
    warnings = (*_warnings(file, origins), *_unknown_variables(variables))
    return Configuration(settings, file, origins, warnings)


def option_of(name: str) -> str:
    """Return the option that a setting is given by."""
    return "--sse-c-key-file" if name == "sse_c_key" else f"--{name.replace('_', '-')}"


def settings_path(
    config_file: str | None = None, environment: Mapping[str, str] | None = None
) -> Path:
    """Return where the settings file is, or would be."""
    if config_file is not None:
        return Path(config_file)
    variables = os.environ if environment is None else environment
    home = variables.get("XDG_CONFIG_HOME") or Path(
        variables.get("HOME", "/"), ".config"
    )
    return Path(home, "s3export", "config.toml")


def _unknown_variables(variables: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each variable that looks like ours and is none."""
    known = [name.upper() for name in Settings.model_fields]
    known.append(PASSWORD_VARIABLE.removeprefix(ENVIRONMENT_PREFIX))
    for variable in sorted(variables):
        name = variable.removeprefix(ENVIRONMENT_PREFIX)
        if name != variable and name not in known:
            near = did_you_mean(name, known, ENVIRONMENT_PREFIX)
            yield f"{variable} in the environment is no setting{near}"


def _where(origin: Origin) -> str:
    if origin.kind == "environment":
        return f"the environment ({origin.place})"
    return origin.place


def _warnings(file: SettingsFile, origins: Mapping[str, Origin]) -> Iterator[str]:
    for name in SECRETS & file.values.keys():
        used = "" if origins[name].kind == "file" else "; it is not used, either"
        yield (
            f"{name} in {file.place(name)} is a secret in a file that is copied and "
            f"backed up like any other{used}; better: {option_of(name)} FILE"
        )
