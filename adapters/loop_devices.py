"""Loop devices of this process: attached, noted, detached."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from s3export.adapters import command_lines
from s3export.adapters.command_lines import CommandLine
from s3export.adapters.commands import Commands
from s3export.adapters.device_facts import LoopDevice, parse_loop_devices
from s3export.adapters.sessions import Session
from s3export.adapters.system_devices import loops_over
from s3export.domain.errors import DeviceFailed

Shield = Callable[[], AbstractContextManager[None]]
"""Holds back the reaction to INT and TERM for a moment."""

_DETACH_TRIES = 5
_DETACH_PAUSE_SECONDS = 0.2


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
                device = self._attach(line, path, offset)
                self._session.note_attached(device)
                stack.callback(self._detach, device)
            yield device

    def _attach(self, line: CommandLine, path: str, offset: int) -> str:
        """Attach; after a failure release what was attached all the same."""
        before = set(self._over(path, offset))
        try:
            return self._commands.run(line).stdout.strip()
        except DeviceFailed:
            for device in self._over(path, offset):
                if device not in before:
                    self._commands.run(command_lines.detach_loop(device))
            raise

    def _detach(self, device: str) -> None:
        with self._shield():
            for tries in range(_DETACH_TRIES):
                try:
                    self._commands.run(command_lines.detach_loop(device))
                except DeviceFailed as error:
                    if device not in {loop.path for loop in self.present()}:
                        break
                    if tries + 1 == _DETACH_TRIES:
                        raise DeviceFailed(
                            f"{device} cannot be detached: {error.message}",
                            next_step=f"release it with: losetup -d {device}",
                        ) from error
                    time.sleep(_DETACH_PAUSE_SECONDS)
                else:
                    break
            self._session.note_detached(device)

    def present(self) -> tuple[LoopDevice, ...]:
        """Return all loop devices of the system."""
        listed = self._commands.run(command_lines.list_loop_devices())
        return parse_loop_devices(listed.stdout)

    def _over(self, path: str, offset: int) -> list[str]:
        over = loops_over(path, self.present())
        return [loop.path for loop in over if loop.offset == offset]
