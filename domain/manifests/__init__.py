"""Export manifests: what they say, and everything that can be wrong with them."""

from s3export.domain.backup_layout import Substitution
from s3export.domain.manifests.checked import CheckedManifest
from s3export.domain.manifests.checking import check
from s3export.domain.manifests.loading import (
    for_load,
    misspelt_password,
    remarks_for_load,
    selection_for_load,
)
from s3export.domain.manifests.model import (
    DEFAULT_RECOVERY_DIRECTORY,
    Address,
    Customs,
    Manifest,
    Operation,
)
from s3export.domain.manifests.nodes import Fields, Items, Node, Scalar

__all__ = [
    "DEFAULT_RECOVERY_DIRECTORY",
    "Address",
    "CheckedManifest",
    "Customs",
    "Fields",
    "Items",
    "Manifest",
    "Node",
    "Operation",
    "Scalar",
    "Substitution",
    "check",
    "for_load",
    "misspelt_password",
    "remarks_for_load",
    "selection_for_load",
]
