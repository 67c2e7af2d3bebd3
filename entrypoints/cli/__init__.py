"""The command line: arguments to one use case, to text or JSON."""

from s3export.entrypoints.cli.program import main

__all__ = ["main"]
