"""The companion's process: it polls and reports, in a thread each, until the parent ends."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest import config, logs
from ingest.errors import CannotStart
from ingest.gateway import bounds
from ingest.gateway.admission.board import Board, BoardFile, BoardWriter
from ingest.gateway.admission.settings import AdmissionSettings
from ingest.gateway.companion import poll
from ingest.gateway.companion.launch import END_S, PARENT_PIPE
from ingest.gateway.companion.poll import Poller
from ingest.gateway.companion.reports import Reports
from ingest.gateway.telemetry.counts import CompanionCounts, CountsFile
from ingest.gateway.telemetry.reporters import Account
from ingest.gateway.telemetry.settings import TelemetrySettings
from ingest.knowledge import gateway_keys
from ingest.knowledge.gateway import GatewayTenant
from ingest.knowledge.keys import Keys
from ingest.logs import stdio
from ingest.serving import malloc, process

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True)
class CompanionSettings(AdmissionSettings, TelemetrySettings):
    """What the companion reads."""


def main(arguments: Sequence[str]) -> None:
    """Run until the parent has ended."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # A terminal signals the whole group; the parent decides.
    logs.capture()
    stdio.tolerate()
    stdio.seal()
    process.forbid_core_dumps()
    malloc.share()  # Each tenant's reporter has two threads.
    with logs.Guard():
        files = {name: int(number) for name, _, number in (each.partition("=") for each in arguments)}
        try:
            bounds.hold_companion()
        except CannotStart as failure:
            stdio.tell(f"nocontent: {failure}")
            raise SystemExit(1) from None
        _run(files)


def _run(files: dict[str, int]) -> None:
    given, ending = config.load_own(CompanionSettings), threading.Event()
    turns = {"poll": _poller(given, files).run, "report": _reports(given, files).run}
    threads = [
        threading.Thread(target=_turn, args=(turn, ending), name=name, daemon=True) for name, turn in turns.items()
    ]
    for thread in threads:
        thread.start()
    os.read(files[PARENT_PIPE], 1)  # Returns at its end.
    ending.set()
    threading.Timer(END_S, os._exit, (1,)).start()  # Whatever hangs.
    for thread in threads:
        thread.join()
    logs.flush()
    os._exit(0)


def check() -> None:
    """Raise CannotStart if a companion could not run with the settings."""
    given = config.load_own(AdmissionSettings)
    _keys(given)
    poll.check(given)


def _poller(given: AdmissionSettings, files: dict[str, int]) -> Poller:
    return Poller(given, _keys(given), BoardWriter(BoardFile(files["board"])))


def _reports(given: CompanionSettings, files: dict[str, int]) -> Reports:
    keys, board = _keys(given), Board(BoardFile(files["board"]))

    def tenant(tenant_id: int) -> GatewayTenant | None:
        grants = board.grants()
        return grants and grants.tenants.get(tenant_id)

    account = Account(
        given.gateway_service_url,
        lambda tenant_id: gateway_keys.bearer(keys(), "events", tenant_id),
        given.spool,
        poll.trust(given),
    )
    counts = CompanionCounts(CountsFile(files["counts"]))
    return Reports(socket.socket(fileno=files["receiving"]), counts, tenant, account)


def _keys(given: AdmissionSettings) -> Callable[[], Keys]:
    keys = gateway_keys.named(given)
    if keys is None:
        raise CannotStart(f"{gateway_keys.SETTING} must name a file: `nocontent gateway keygen` makes one.")
    return keys


def _turn(run: Callable[[threading.Event], None], ending: threading.Event) -> None:
    """Poll or report; a bug ends the process, and the parent starts another."""
    try:
        with logs.Guard():
            run(ending)
    finally:
        if not ending.is_set():
            logs.flush()
            os._exit(1)
