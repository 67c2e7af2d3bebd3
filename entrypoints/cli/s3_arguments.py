"""How S3 is asked for objects: the arguments of the commands that do."""

import argparse


def add_s3(command: argparse.ArgumentParser) -> None:
    """Add them to a command."""
    group = command.add_argument_group("how S3 is asked")
    group.add_argument(
        "--request-payer",
        action="store_true",
        default=None,
        help="say that you pay for the requests (requester pays)",
    )
    group.add_argument(
        "--sse-c-key-file",
        metavar="FILE",
        help="the key of objects encrypted with a customer's key: 32 bytes, or base64",
    )
