"""A program that writes to a container until it is killed, and says how far it came.

Arguments: an image with a file system, the directory of the notes, ``create`` to make
the container first. Prints a line when a step begins, and when a file is synced.
"""

import contextlib
import sys
from itertools import count

from s3export.adapters.interruption import Interrupted, Interruption
from s3export.domain.backup_layout import TreePath
from s3export.domain.containers import ContainerKey
from s3export.domain.secret import Secret
from s3export.entrypoints.container import Application, application
from s3export.entrypoints.settings import Settings

PATH = TreePath(b"53TX4.tc")
PASSWORD = "correct horse battery staple"
KEY = ContainerKey(Secret(PASSWORD))
SIZE = 40 << 20


def body(number: int) -> bytes:
    """Return what the file of a number holds; of different sizes."""
    return bytes([number % 251]) * (1 + number * 7919 % 300_000)


def name(number: int) -> TreePath:
    """Return where it is."""
    return TreePath(b"bucket/%d/%d" % (number % 10, number))


def say(words: str) -> None:
    """Print at once."""
    print(words, flush=True)  # noqa: T201


def wired(run_directory: str) -> tuple[Application, Interruption]:
    """Return the real parts, with notes of their own."""
    app = application(Settings())
    app.adapters.run_directory.override(run_directory)
    return app, app.interruption()


def main(image: str, run_directory: str, *create: str) -> None:
    """Write file after file, removing old ones so that there is always room."""
    app, interruption = wired(run_directory)
    devices, containers = app.adapters.block_devices(), app.adapters.disk_containers()
    with (
        contextlib.suppress(Interrupted),
        interruption.installed(),
        devices.open_for_writing(devices.inspect(image)) as tree,
    ):
        if create:
            say("creating")
            containers.create(tree, PATH, SIZE, KEY.passphrase, "53TX4")
            say("created")
        say("opening")
        with containers.open_for_writing(tree, PATH, KEY) as inside:
            say("opened")
            for number in count():
                inside.write(name(number), [body(number)])
                inside.sync()
                say(f"synced {number}")
                if number >= 60:
                    inside.remove(name(number - 60))


if __name__ == "__main__":
    main(*sys.argv[1:])
