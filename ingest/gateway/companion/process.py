"""The companion's process: it polls in a thread of its own until the parent ends."""

import os
import signal
import threading
from collections.abc import Callable, Sequence

from ingest import config, logs
from ingest.errors import CannotStart
from ingest.gateway import bounds
from ingest.gateway.admission.board import BoardFile, BoardWriter
from ingest.gateway.admission.settings import AdmissionSettings
from ingest.gateway.companion import poll
from ingest.gateway.companion.launch import END_S, LIFELINE
from ingest.gateway.companion.poll import Poller
from ingest.knowledge import gateway_keys
from ingest.knowledge.keys import Keys
from ingest.logs import stdio
from ingest.serving import process

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: Sequence[str]) -> None:
    """Run until the lifeline ends."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # A terminal signals the whole group; the parent decides.
    logs.capture()
    stdio.tolerate()
    stdio.seal()
    process.forbid_core_dumps()
    with logs.Guard():
        files = {name: int(number) for name, _, number in (each.partition("=") for each in arguments)}
        try:
            bounds.hold_companion()
        except CannotStart as failure:
            stdio.tell(f"nocontent: {failure}")
            raise SystemExit(1) from None
        _run(files)


def _run(files: dict[str, int]) -> None:
    ending = threading.Event()
    poller = _poller(BoardFile(files["board"]))
    threading.Thread(target=_poll, args=(poller, ending), name="poll", daemon=True).start()
    os.read(files[LIFELINE], 1)  # Returns at its end.
    ending.set()
    threading.Timer(END_S, os._exit, (1,)).start()  # Whatever hangs.
    logs.flush()
    os._exit(0)


def check() -> None:
    """Raise CannotStart if a companion could not run with the settings."""
    given = config.load_own(AdmissionSettings)
    _keys(given)
    poll.check(given)


def _poller(file: BoardFile) -> Poller:
    given = config.load_own(AdmissionSettings)
    return Poller(given, _keys(given), BoardWriter(file))


def _keys(given: AdmissionSettings) -> Callable[[], Keys]:
    keys = gateway_keys.named(given)
    if keys is None:
        raise CannotStart(f"{gateway_keys.SETTING} must name a file: `nocontent gateway keygen` makes one.")
    return keys


def _poll(poller: Poller, ending: threading.Event) -> None:
    """Poll; a bug ends the process, and the parent starts another."""
    try:
        with logs.Guard():
            poller.run(ending)
    finally:
        if not ending.is_set():
            logs.flush()
            os._exit(1)
