"""Reading in a thread of its own, so that a disk is busy while its bytes are hashed."""

import threading
from collections.abc import Callable, Generator
from queue import SimpleQueue

LARGE_BYTES = 8 << 20
"""From this size on a file is worth a thread."""

_BUFFERS = 3  # one that is read into, one that is hashed, one between them
_BUFFER_BYTES = 1 << 20


def read_ahead(
    readinto: Callable[[memoryview], int],
) -> Generator[memoryview, None, None]:
    """Yield what is read, in order; a piece is good until the next.

    Memory: three buffers of 1 MiB. When the generator is closed, no thread of it is
    reading any more.

    Args:
        readinto: Fills a buffer; returns how many bytes, 0 at the end. Called in the
            thread; what it raises is raised here, in its place.
    """
    empty: SimpleQueue[memoryview | None] = SimpleQueue()
    full: SimpleQueue[memoryview | BaseException] = SimpleQueue()
    stopped = threading.Event()
    for _ in range(_BUFFERS):
        empty.put(memoryview(bytearray(_BUFFER_BYTES)))

    def read() -> None:
        try:
            while (buffer := empty.get()) is not None and not stopped.is_set():
                got = readinto(buffer)
                full.put(buffer[:got])
                if not got:
                    return
        except BaseException as error:
            full.put(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while True:
            piece = full.get()
            if isinstance(piece, BaseException):
                raise piece
            if not piece:
                return
            yield piece
            assert isinstance(piece.obj, bytearray)  # ours
            empty.put(memoryview(piece.obj))
    finally:
        stopped.set()
        empty.put(None)
        thread.join()
