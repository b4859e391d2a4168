"""Proxies that report through the reporter, each with a spool that its next life finds again."""

import json
import os
import random
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, NamedTuple

from tests.faults.batches import Batch, Nature
from tests.faults.deployment import Deployment
from tests.faults.notebook import Notebook
from tests.support.customers import Customer
from tests.support.service import ROOT

PROGRAM = "tests.faults.reporting"
SENT_S = 30.0  # For what is left when the run ends; everything is up by then.
# Every other spool is too small for an outage, so that it drops events and counts them.
SPOOL_BYTES = (256 * 1024 * 1024, 48 * 1024)


class Plan(NamedTuple):
    """The number of proxies, and what each reports."""

    proxies: int
    events_per_s: float
    seed: int


class Proxies:
    """All proxies, of one tenant."""

    def __init__(self, deployment: Deployment, notebook: Notebook, customer: Customer, plan: Plan) -> None:
        self._ending = threading.Event()
        self._threads = ThreadPoolExecutor(max(1, plan.proxies))
        self._proxies = [Proxy(deployment, notebook, customer, plan, place) for place in range(plan.proxies)]
        self._running: list[Future[None]] = []

    def start(self) -> None:
        self._running = [self._threads.submit(proxy.run, self._ending) for proxy in self._proxies]

    def end(self) -> None:
        """Let every proxy send what its spool holds; raise the error of a failed one."""
        self._ending.set()
        self._threads.shutdown()
        for running in self._running:
            running.result()

    @property
    def starts(self) -> int:
        return sum(proxy.starts for proxy in self._proxies)


class Proxy:
    """A process that is started again when it was killed."""

    def __init__(self, deployment: Deployment, notebook: Notebook, customer: Customer, plan: Plan, place: int) -> None:
        self._deployment = deployment
        self._notebook = notebook
        self._customer = customer
        self._chance = random.Random(plan.seed + place)
        self._events_per_s = plan.events_per_s
        spool = deployment.folder / f"proxy-{place}.spool"
        self._arguments = [
            f"http://{deployment.bind}",
            str(spool),
            str(SPOOL_BYTES[place % len(SPOOL_BYTES)]),
            str(SENT_S),
        ]
        self.starts = 0

    def run(self, ending: threading.Event) -> None:
        """Report until the load ends, and then until the spool is empty."""
        while not self._is_done(ending):
            pass

    def _is_done(self, ending: threading.Event) -> bool:
        """Live one life, and return whether it came to its end."""
        self.starts += 1
        try:
            with self._started() as process:
                assert process.stdin is not None
                assert process.stdout is not None
                self._say(process.stdin, self._customer.token)
                while not ending.is_set():
                    self._report(process.stdin, process.stdout)
                return self._is_sent(process.stdin, process.stdout)
        except (BrokenPipeError, EOFError):
            return False  # It was killed.

    def _started(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", PROGRAM, *self._arguments],
            env={"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "reporter/src")]), "PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._deployment.proxies.append(process)
        return process

    def _report(self, to: IO[str], of: IO[str]) -> None:
        batch = self._notebook.begin(
            self._customer.tenant_id, self._chance, nature=Nature.REPORTED, stream=None, repeats=0
        )
        batch.was_in_doubt = True
        self._say(to, json.dumps([batch.number, list(batch.ids(batch.own))]))
        self._await(of, batch)
        self._notebook.note_kept(batch)
        threading.Event().wait(batch.own / self._events_per_s)

    def _await(self, of: IO[str], batch: Batch) -> None:
        answer = self._answer(of)
        if answer != str(batch.number):
            self._notebook.find(f"a reporter did not keep a batch in its spool: {answer}")

    def _is_sent(self, to: IO[str], of: IO[str]) -> bool:
        self._say(to, "close")
        if self._answer(of) != "sent":
            self._notebook.find(f"a spool was not empty {SENT_S:.0f} s after the last kill")
        return True

    @staticmethod
    def _say(to: IO[str], what: str) -> None:
        to.write(f"{what}\n")
        to.flush()

    @staticmethod
    def _answer(of: IO[str]) -> str:
        if not (line := of.readline()):
            raise EOFError
        return line.strip()
