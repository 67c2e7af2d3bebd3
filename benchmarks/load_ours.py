"""Load a directory with the real parts, as load-device does with a prepared disk."""

import sys

from s3export.adapters.file_trees.mounted import MountedWritableTree
from s3export.domain.backup_layout import BackupLayout, Source, TreePath
from s3export.domain.services.load_device import LoadDevice, LoadRequest
from s3export.entrypoints.container import application


def main() -> None:
    """Load a bucket into a directory; settings come from the environment."""
    bucket, directory = sys.argv[1:]
    source = Source(bucket, TreePath(bucket.encode()))
    layout = BackupLayout((source,), TreePath(b"EXPORT-RECOVERY"))
    load: LoadDevice = application().use_cases.load_device()
    result = load(LoadRequest(layout, "BENCH"), MountedWritableTree(directory))
    if result.errors or result.unproven or result.next_disk:
        sys.exit(f"not everything was loaded and proven: {result}")


if __name__ == "__main__":
    main()
