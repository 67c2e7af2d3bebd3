"""What the service refuses a manifest's buckets for.

Source: AWS Import/Export Developer Guide, "Errors" (NoSuchBucket, MultipleRegions,
BucketPermission), "S3 export manifest file options". Ours are the order of the checks,
that the buckets of other accounts do not exist, that any one region will do, and that a
bucket without objects is exported: AWS's SDK tests speak of a refusal, but no source
names its code.
"""

from collections.abc import Mapping
from typing import Any

from s3export.entrypoints.sandbox.importexport.exceptions import refused
from s3export.entrypoints.sandbox.importexport.manifest import AcceptedManifest
from s3export.entrypoints.sandbox.importexport.permissions import (
    ALL_OBJECTS,
    BucketPolicy,
)

_LOG_BUCKET = "logBucket"
_ANY_JOB = "XXXXX"  # in the name of a log whose job has no id yet


def check_buckets(
    accepted: AcceptedManifest, known: Mapping[str, Any], account: str
) -> str:
    """Refuse buckets that no export can use; return a warning, or nothing.

    Args:
        known: moto's buckets of the account, by name.
    """
    fields = {
        f"operations[{number}].exportBucket": bucket
        for number, bucket in enumerate(accepted.export_buckets)
    } | {_LOG_BUCKET: accepted.log_bucket}
    for field, bucket in fields.items():
        if bucket not in known:
            raise refused("NoSuchBucket", f"the bucket of {field} does not exist")
    wanted = dict.fromkeys(fields.values())
    if len({known[bucket].region_name for bucket in wanted}) > 1:
        raise refused("MultipleRegions", "the buckets lie in several regions")
    for field, bucket in fields.items():
        policy = BucketPolicy(bucket, known[bucket].policy, account)
        if _is_forbidden(policy, log=field == _LOG_BUCKET, prefix=accepted.log_prefix):
            raise refused(
                "BucketPermission", f"the policy of {field}'s bucket forbids it"
            )
    odd = [name for name in wanted if "_" in name or name != name.lower()]
    return f"Incompatible bucket names: {', '.join(odd)}" if odd else ""


def _is_forbidden(policy: BucketPolicy, *, log: bool, prefix: str) -> bool:
    if log:
        return policy.denies("s3:PutObject", f"/{prefix}export-log-{_ANY_JOB}")
    return policy.denies("s3:ListBucket") or policy.denies("s3:GetObject", ALL_OBJECTS)
