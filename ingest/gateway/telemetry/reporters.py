"""One reporter for each tenant, as in any proxy, with a bearer of the gateway's instead of a token."""

import re
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from nocontent_reporter import Options, Reporter, Stats

REPORTERS_MAX: Final = 256
IDLE_S: Final = 300.0  # After which a reporter with nothing left is closed.
CLOSE_S: Final = 0.2  # Of one that has nothing to send.
# Between writes of a tenant's events: what a kill of the companion may lose, and counts. A write and its request take a
# millisecond or two, so a reporter waits longer for each other one that was opened before it.
INTERVAL_S_MIN, INTERVAL_S_MAX = 0.2, 1.0
FOR_EACH_S: Final = 0.05
_FILE = re.compile(r"([1-9][0-9]{0,9})\.spool")


class _Open:
    """A reporter, its bearer, and when it was last used."""

    __slots__ = ("bearer", "reporter", "used_at")

    def __init__(self, reporter: Reporter, bearer: str) -> None:
        self.reporter = reporter
        self.bearer = bearer
        self.used_at = time.monotonic()


class Account(NamedTuple):
    """Where a gateway reports to, and as whom."""

    url: str
    bearer_of: Callable[[int], str]  # Of a tenant.
    folder: Path | None  # For spools.
    trust: ssl.SSLContext | None


class Reporters:
    """Opens reporters as tenants appear, and closes those that have nothing to do."""

    def __init__(self, account: Account, gone: Callable[[int, Reporter], None]) -> None:
        """Open none yet; `gone` is called for each that was closed."""
        self._account = account
        self._gone = gone
        self._open: dict[int, _Open] = {}

    def left(self) -> list[int]:
        """Return the tenants that have a spool."""
        folder = self._account.folder
        found = [_FILE.fullmatch(path.name) for path in folder.iterdir()] if folder is not None else []
        return sorted(int(each[1]) for each in found if each is not None)

    def of(self, tenant_id: int) -> Reporter | None:
        """Return a tenant's reporter; None if there are too many of others that have work."""
        opened = self._open.get(tenant_id)
        if opened is None:
            if len(self._open) >= REPORTERS_MAX and not self._make_room():
                return None
            opened = self._open[tenant_id] = self._opened(tenant_id)
        opened.used_at = time.monotonic()
        return opened.reporter

    def __iter__(self) -> Iterator[tuple[int, Reporter]]:
        return iter([(tenant_id, opened.reporter) for tenant_id, opened in self._open.items()])

    def tidy(self) -> None:
        """Close what has been idle, and what has the bearer of a key that is not the first any more."""
        idle_since = time.monotonic() - IDLE_S
        for tenant_id, opened in list(self._open.items()):
            is_old = opened.used_at < idle_since or opened.bearer != self._account.bearer_of(tenant_id)
            if is_old and opened.reporter.at_risk() == 0 and _has_nothing(opened.reporter.stats()):
                self._close(tenant_id, CLOSE_S)

    def close(self, timeout_s: float) -> None:
        """Close all, and let them send what they can before a time-out."""
        ends_at = time.monotonic() + timeout_s
        for tenant_id in list(self._open):
            self._close(tenant_id, max(CLOSE_S, ends_at - time.monotonic()))

    def _make_room(self) -> bool:
        """Close the reporter that was used the longest time ago, of those that have nothing left."""
        for tenant_id, opened in sorted(self._open.items(), key=lambda each: each[1].used_at):
            if opened.reporter.at_risk() == 0 and _has_nothing(opened.reporter.stats()):
                self._close(tenant_id, CLOSE_S)
                return True
        return False

    def _opened(self, tenant_id: int) -> _Open:
        folder = self._account.folder
        spool = None if folder is None else folder / f"{tenant_id}.spool"
        bearer = self._account.bearer_of(tenant_id)
        options = Options(interval_s=interval_s(len(self._open)), trust=self._account.trust)
        return _Open(Reporter(self._account.url, bearer, spool, options), bearer)

    def _close(self, tenant_id: int, timeout_s: float) -> None:
        opened = self._open.pop(tenant_id)
        opened.reporter.close(timeout_s)
        self._gone(tenant_id, opened.reporter)


def _has_nothing(stats: Stats) -> bool:
    return not (stats.buffered or stats.waiting or stats.parked)


def interval_s(others: int) -> float:
    """Return the seconds between writes of a reporter that is opened after so many others."""
    return min(max(INTERVAL_S_MIN, others * FOR_EACH_S), INTERVAL_S_MAX)
