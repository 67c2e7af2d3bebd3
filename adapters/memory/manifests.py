"""Manifests that lie in a dictionary."""

from collections.abc import Mapping

from s3export.adapters.yaml_manifests import YamlManifests
from s3export.domain.errors import FileRefused


class MemoryManifests(YamlManifests):
    """Reads the texts that it was given by name."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def _load(self, path: str) -> bytes:
        if path not in self._texts:
            raise FileRefused(f"{path}: no such manifest")
        return self._texts[path].encode()
