"""The load generator's process: `python -m bench.client` with a plan on standard input."""

import gc
import sys
from collections.abc import Iterator
from itertools import islice

import msgspec

from bench import child
from bench.bodies import Plan, Request, requests
from bench.load import Load, Tally


class _Client:
    """A client with one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        made = requests(plan)
        self._warm = list(islice(made, plan.warm_requests))
        self._measured: Iterator[Request] = made if plan.is_soak else iter(list(made))
        self._load: Load | None = None
        scenario = plan.scenario
        self._gap_s = scenario.batch_events / scenario.events_per_s if scenario.events_per_s else 0.0
        gc.collect()
        gc.freeze()
        gc.disable()  # Our own pauses would count as the service's latency.

    def warm(self) -> Tally:
        self._load = Load(self._plan.port, self._plan.scenario.connections)
        return self._load.run(iter(self._warm), self._gap_s, self._plan.warm_seconds)

    def measure(self) -> Tally:
        assert self._load is not None
        tally = self._load.run(self._measured, self._gap_s, self._plan.seconds)
        self._load.close()
        return tally


if __name__ == "__main__":
    child.play(_Client(msgspec.json.decode(sys.stdin.readline(), type=Plan)))
