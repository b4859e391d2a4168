"""A pipe whose reader exists but does not read."""

import contextlib
import fcntl
import os
from collections.abc import Iterator


@contextlib.contextmanager
def full_pipe() -> Iterator[tuple[int, int]]:
    """Yield both ends of a full pipe."""
    read, write = os.pipe()
    flags = fcntl.fcntl(write, fcntl.F_GETFL)
    fcntl.fcntl(write, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, b"\n" * 4_096)
    fcntl.fcntl(write, fcntl.F_SETFL, flags)
    yield read, write
    for end in (read, write):
        os.close(end)
