"""The settings file: flat TOML, each key with the line that it stands in."""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from s3export.domain.errors import SettingsRejected
from s3export.domain.nearest import did_you_mean

_LARGEST_BYTES = 65_536  # far beyond every setting written out

_SECRET_WORDS = ("password", "passphrase", "secret", "pin_code", "token", "access_key")


@dataclass(frozen=True)
class SettingsFile:
    """What a settings file says.

    Attributes:
        path: Where it is, or would be.
        exists: Whether it is there.
        values: By key.
        text: All of it.
    """

    path: Path
    exists: bool
    values: Mapping[str, Any]
    text: str = ""

    def place(self, key: str) -> str:
        """Return ``path:line`` of a key at the top, or of a table."""
        line = self._lines.get(key)
        return f"{self.path}:{line}" if line else str(self.path)

    @cached_property
    def _lines(self) -> Mapping[str, int]:
        """Where keys stand: a statement is the fewest lines that are TOML alone.

        What follows a table's head belongs to the table, up to the next head.
        """
        lines = self.text.replace("\r\n", "\n").split("\n")
        found: dict[str, int] = {}
        begin, in_table = 0, False
        for end in range(1, len(lines) + 1):
            try:
                said = tomllib.loads("\n".join(lines[begin:end]))
            except tomllib.TOMLDecodeError:
                continue  # in the middle of a statement
            is_head = lines[begin].lstrip().startswith("[")
            if is_head or not in_table:
                found = dict.fromkeys(said, begin + 1) | found
            begin, in_table = end, in_table or is_head
        return found


def read_settings_file(path: Path, *, must_exist: bool) -> SettingsFile:
    """Read a settings file.

    Raises:
        SettingsRejected: It cannot be read, or is no TOML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
        if len(content) > _LARGEST_BYTES:
            raise SettingsRejected(f"{path}: too large for a settings file")
        text = content.decode()
        return SettingsFile(path, True, tomllib.loads(text), text)
    except FileNotFoundError:
        if must_exist:
            raise SettingsRejected(
                f"{path}: there is no such settings file",
                next_step=f"write one with: s3export config edit --config {path}",
            ) from None
        return SettingsFile(path, False, {})
    except OSError as error:
        raise SettingsRejected(f"{path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsRejected(
            f"{path}: not TOML: {error}",
            next_step='write settings as: bucket = "my-bucket"; a text is in quotes',
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise SettingsRejected(f"{path}: not UTF-8, or nested too deep") from error


def unknown_keys(file: SettingsFile, known: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each key that is no setting: where, and what is nearest.

    No value is repeated: it may be a secret.
    """
    for key, value in file.values.items():
        if key in known:
            continue
        where = f"{key} from {file.place(key)}"
        if isinstance(value, dict):
            yield f"{where}: there are no tables; write the settings without [{key}]"
        elif any(word in key.lower() for word in _SECRET_WORDS):
            yield (
                f"{where}: no setting, and secrets do not belong here: passwords come "
                "from --password-file, credentials from the AWS chain"
            )
        else:
            yield f"{where}: no such setting{did_you_mean(_written(key), known)}"


def _written(key: str) -> str:
    return key.lower().replace("-", "_")


def template() -> str:
    """Return a file with every setting explained and commented out."""
    return _TEMPLATE


_TEMPLATE = """\
# Settings of s3export. Options and S3EXPORT_… variables go before what is written here;
# s3export config show  tells each setting and where it comes from.
# Credentials, profiles and endpoints can stay where AWS's tools have them, too.

# profile = "backup"                    # of ~/.aws/config
# region = "eu-west-1"
# endpoint_url = "https://s3.example.com"
# bucket = "my-bucket"                  # what backups are compared with
# forks = 8                             # files hashed, requests made at once
# sample_size = 100                     # how many files a verification draws
# backup_directory = "/var/lib/s3export/erased-disks"
# ignore = ["comment-in-value"]         # rules of manifests to be silent about
# request_payer = true                  # you pay for the requests
"""
