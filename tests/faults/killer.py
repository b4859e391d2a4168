"""The killer: strikes of every kind, equally often, at random moments under load."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ingest.store import connections, endings
from tests.faults.deployment import Deployment
from tests.faults.load import Load
from tests.support import cluster, postmaster
from tests.support.service import children, is_gone, wait_until

RECOVERY_S_MAX = 60.0
VICTIM_S_MAX = 30.0
CALM_EVENTS = 1_000  # Acknowledged since the recovery, before it strikes again
DELAY_S_MAX = 1.5  # so much later, at most.
HASTE = 1 / 6  # Of the kills do not wait for the recovery from the one before,
HASTE_S_MAX = 0.5  # but come so soon.
FROZEN_S = 1.0
PROXY = "proxy"  # What is killed is a sender, so nothing of ours has to recover.
JOBS = "jobs"  # Nor does anything that senders wait for.
LOOK_S = 0.1
_WRITERS = """
SELECT pid FROM pg_stat_activity
WHERE application_name = 'nocontent-writer' AND datname = current_database()
ORDER BY state = 'idle', random()
"""
_TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'nocontent-writer' AND datname = current_database()
"""

_TERMINATE_BILLERS = _TERMINATE.replace("nocontent-writer", "nocontent-biller")


def _kill_service(deployment: Deployment) -> bool:
    """SIGKILL the parent; its workers end with it."""
    process = deployment.server.process
    workers = children(process.pid)
    process.kill()
    process.wait()
    wait_until(lambda: all(map(is_gone, workers)), lambda: "a worker outlived its parent")
    return True


def _kill_worker(deployment: Deployment) -> bool:
    """SIGKILL one worker; the service ends the others in order, and then itself."""
    workers = deployment.server.workers()
    if workers:
        os.kill(workers[0], signal.SIGKILL)
        status = deployment.service_status()
        assert status == 1, f"without a worker the service ended with {status}"
    return bool(workers)


def _end_service(deployment: Deployment) -> bool:
    """SIGTERM: accepted requests are stored and answered first."""
    deployment.server.process.terminate()
    status = deployment.service_status()
    assert status == 0, f"SIGTERM ended it with {status}"
    return True


def _replace_workers(deployment: Deployment) -> bool:
    """SIGHUP: a new worker replaces each one."""
    workers = deployment.server.workers()
    deployment.server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: all(map(is_gone, workers)), lambda: "SIGHUP did not replace the workers")
    return True


def _kill_postgres(deployment: Deployment) -> bool:
    postmaster.kill_all(deployment.postmaster)
    return True


def _kill_postmaster(deployment: Deployment) -> bool:
    """SIGKILL the postmaster; its backends end when they notice."""
    return _signal_postmaster(deployment, signal.SIGKILL)


def _quit_postgres(deployment: Deployment) -> bool:
    """SIGQUIT, the immediate shutdown: no checkpoint, and the next start recovers."""
    return _signal_postmaster(deployment, signal.SIGQUIT)


def _signal_postmaster(deployment: Deployment, number: signal.Signals) -> bool:
    os.kill(deployment.postmaster, number)
    wait_until(lambda: is_gone(deployment.postmaster))
    return True


def _kill_writer(deployment: Deployment) -> bool:
    """SIGKILL a backend, one at work if there is one; PostgreSQL then ends all others and recovers by itself."""
    pids = [int(row["pid"]) for row in cluster.fetch(deployment.dsn, _WRITERS)]
    postmaster.send_signal(pids[:1], signal.SIGKILL)
    return bool(pids)


def _terminate_writers(deployment: Deployment) -> bool:
    return bool(cluster.fetch(deployment.dsn, _TERMINATE))


def _freeze_postgres(deployment: Deployment) -> bool:
    with postmaster.frozen(deployment.postmaster):
        time.sleep(FROZEN_S)  # It waits for nothing: it is the fault.
    return True


def _kill_proxy(deployment: Deployment) -> bool:
    """SIGKILL a sender's process; its next life finds the spool."""
    living = [proxy for proxy in deployment.proxies if proxy.poll() is None]
    if living:
        victim = random.choice(living)
        victim.kill()
        deployment.proxies.remove(victim)
    return bool(living)


def _kill_jobs(deployment: Deployment) -> bool:
    """SIGKILL the process that runs the jobs; the service's own takes over, until there is a new one."""
    deployment.jobs.kill()
    deployment.jobs.wait()
    return True


def _terminate_billers(deployment: Deployment) -> bool:
    """End the jobs' sessions, wherever their rounds are."""
    return bool(cluster.fetch(deployment.dsn, _TERMINATE_BILLERS))


_ORDERLY = {_end_service, _replace_workers}  # Who asks for these waits until the service is up.


class Kind(NamedTuple):
    """A kind of failure. `strike` returns False if it found no target; `starts` are the restarts it then needs."""

    name: str
    part: str
    starts: tuple[int, int]  # Of the service and of PostgreSQL.
    strike: Callable[[Deployment], bool]


KINDS = {
    kind.name: kind
    for kind in (
        Kind("service-killed", "service", (1, 0), _kill_service),
        Kind("worker-killed", "service", (1, 0), _kill_worker),
        Kind("service-ended", "service", (1, 0), _end_service),
        Kind("workers-replaced", "service", (0, 0), _replace_workers),
        Kind("postgres-killed", "database", (0, 1), _kill_postgres),
        Kind("postmaster-killed", "database", (0, 1), _kill_postmaster),
        Kind("postgres-quit", "database", (0, 1), _quit_postgres),
        Kind("writer-killed", "database", (0, 0), _kill_writer),
        Kind("writers-terminated", "database", (0, 0), _terminate_writers),
        Kind("postgres-frozen", "database", (0, 0), _freeze_postgres),
        Kind("jobs-killed", JOBS, (0, 0), _kill_jobs),
        Kind("billers-terminated", JOBS, (0, 0), _terminate_billers),
        Kind("proxy-killed", PROXY, (0, 0), _kill_proxy),
    )
}


class Strike(NamedTuple):
    """A kill that happened; `is_calm` if all was well before it."""

    kind: Kind
    at: float
    starts: tuple[int, int]
    is_calm: bool


@dataclass
class Killer:
    """The killer: it strikes, has everything restarted, and waits until the load flows."""

    deployment: Deployment
    load: Load
    chance: random.Random
    struck: Counter[str] = field(default_factory=Counter)
    hasty: int = 0
    recoveries_s: dict[str, list[float]] = field(default_factory=dict)

    def run(self, kills: int, kinds: Sequence[str], ends_at: float) -> Iterator[None]:
        """Strike a number of times, unless time runs out or nothing recovers; yield after each kill."""
        last: Strike | None = None
        for kind in self._dealt(kills, kinds):
            is_calm = last is None or kind.strike in _ORDERLY or self.chance.random() >= HASTE
            if time.monotonic() > ends_at or (is_calm and not self._is_back(last)):
                break
            self.deployment.mend()
            time.sleep(self.chance.uniform(0, DELAY_S_MAX if is_calm else HASTE_S_MAX))
            starts, struck_at = self._starts(), time.monotonic()
            if not self._strike(kind):
                break
            # A strike that leaves nothing dead causes no outage before its end.
            last = Strike(kind, struck_at if any(kind.starts) else time.monotonic(), starts, is_calm)
            self.struck[kind.name] += 1
            self.hasty += not is_calm
            yield
        self._is_back(last)

    def _dealt(self, kills: int, kinds: Sequence[str]) -> Iterator[Kind]:
        """Deal the kinds like cards, a new pack when one is used up."""
        pack: list[str] = []
        for _ in range(kills):
            if not pack:
                pack = self.chance.sample(sorted(kinds), len(kinds))
            yield KINDS[pack.pop()]

    def _strike(self, kind: Kind) -> bool:
        """Strike as soon as there is a target."""
        give_up_at = time.monotonic() + VICTIM_S_MAX
        while time.monotonic() < give_up_at:
            self.deployment.mend()
            try:
                if kind.strike(self.deployment):
                    return True
            except AssertionError as wrong:
                self.load.notebook.find(f"{kind.name}: {wrong}")
                return True
            except (*endings.LOST, connections.PostgresError):
                pass  # Nobody is there yet, or no more.
            time.sleep(LOOK_S)
        self.load.notebook.find(f"{kind.name}: nobody to strike for {VICTIM_S_MAX:.0f} s")
        return False

    def _is_back(self, last: Strike | None) -> bool:
        """Restart what is dead, and wait until some batches sent from now on are acknowledged."""
        notebook, now = self.load.notebook, time.monotonic()
        name = last.kind.name if last else "the start"
        if not self._comes(lambda: notebook.has_receipt_of_request_after(now, LOOK_S)):
            notebook.find(f"nothing acknowledged for {RECOVERY_S_MAX:.0f} s after {name}")
            return False
        if last is not None and last.is_calm and last.kind.part not in {PROXY, JOBS}:
            self.recoveries_s.setdefault(name, []).append(time.monotonic() - last.at)
            service, database = (after - before for after, before in zip(self._starts(), last.starts, strict=True))
            if (service, database) != last.kind.starts:
                notebook.find(f"{name} took {service} starts of the service and {database} of PostgreSQL")
        goal = notebook.acknowledged + CALM_EVENTS
        if not self._comes(lambda: notebook.has_acknowledged(goal, LOOK_S)):
            notebook.find(f"too little acknowledged in {RECOVERY_S_MAX:.0f} s after {name}")
            return False
        return True

    def _comes(self, holds: Callable[[], bool]) -> bool:
        give_up_at = time.monotonic() + RECOVERY_S_MAX
        while time.monotonic() < give_up_at:
            self.deployment.mend()
            if holds():
                return True
        return False

    def _starts(self) -> tuple[int, int]:
        return self.deployment.service_starts, self.deployment.database_starts
