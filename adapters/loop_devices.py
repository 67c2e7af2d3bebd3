"""Loop devices of this process: attached, noted, detached."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from s3export.adapters import command_lines
from s3export.adapters.commands import Commands
from s3export.adapters.sessions import Session

Shield = Callable[[], AbstractContextManager[None]]
"""Holds back the reaction to INT and TERM for a moment."""


class LoopDevices:
    """Makes a block device of a file or of a range of a device."""

    def __init__(
        self,
        commands: Commands,
        session: Session,
        shield: Shield = contextlib.nullcontext,
    ) -> None:
        self._commands = commands
        self._session = session
        self._shield = shield

    @contextmanager
    def attached(
        self, path: str, *, read_only: bool, offset: int = 0, size: int = 0
    ) -> Iterator[str]:
        """Give a loop device over a range (bytes); detach it on leaving."""
        line = command_lines.attach_loop(
            path, read_only=read_only, offset=offset, size=size
        )
        with ExitStack() as stack:
            with self._shield():
                self._session.note_attaching(path, offset)
                stack.callback(self._session.close)
                device = self._commands.run(line).stdout.strip()
                self._session.note_attached(device)
                stack.callback(self._detach, device)
            yield device

    def _detach(self, device: str) -> None:
        with self._shield():
            self._commands.run(command_lines.detach_loop(device))
            self._session.note_detached(device)
