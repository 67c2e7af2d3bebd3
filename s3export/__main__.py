"""``python -m s3export``."""

import sys

from s3export.entrypoints.cli import main

if __name__ == "__main__":
    sys.exit(main())
