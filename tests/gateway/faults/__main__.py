"""Kills a gateway, its workers, companion, provider and service under load, and has them restarted.

Then it compares what clients saw with what is stored; the last line says what is missing.
"""

# ruff: noqa: T201 (talks to a person at a terminal)

import argparse
import contextlib
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from tests.gateway.faults import checker
from tests.gateway.faults.checker import Verdict
from tests.gateway.faults.deployment import Deployment
from tests.gateway.faults.load import Load
from tests.support.counts import listed

RECOVERY_S_MAX = 120.0  # On a machine that does ten other things.
SETTLED_S_MAX = 120.0
CALM = 20  # Requests finished since the last recovery, before it strikes again
DELAY_S_MAX = 0.5  # so much later, at most.
POLL_S = 0.02


def _kill_worker(deployment: Deployment) -> bool:
    """SIGKILL a worker; the gateway then ends the others, and itself."""
    return _kill_one(deployment.workers())


def _kill_companion(deployment: Deployment) -> bool:
    return _kill_one(deployment.companions())


def _kill_gateway(deployment: Deployment) -> bool:
    deployment.kill_gateway()
    return True


def _end_gateway(deployment: Deployment) -> bool:
    return deployment.end_gateway() == 0


def _kill_provider(deployment: Deployment) -> bool:
    deployment.provider.kill()
    deployment.provider.wait()
    return True


def _kill_service(deployment: Deployment) -> bool:
    deployment.behind.server.process.kill()
    deployment.behind.server.process.wait()
    return True


KINDS: dict[str, Callable[[Deployment], bool]] = {
    "companion-killed": _kill_companion,
    "gateway-ended": _end_gateway,
    "gateway-killed": _kill_gateway,
    "provider-killed": _kill_provider,
    "service-killed": _kill_service,
    "worker-killed": _kill_worker,
}


def _kill_one(pids: Sequence[int]) -> bool:
    for pid in pids[:1]:
        os.kill(pid, signal.SIGKILL)
    return bool(pids)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the kills, and return 0 if every finished request is accounted for and no half answer was shown as whole."""
    args = _parse(argv)
    seed = args.seed if args.seed is not None else random.SystemRandom().getrandbits(32)
    print(f"seed {seed}", flush=True)
    deployment, began = Deployment(args.workers), time.monotonic()
    with contextlib.ExitStack() as undo:
        undo.callback(print, f"kept {deployment.behind.folder}") if args.keep else undo.callback(
            deployment.behind.remove
        )
        undo.callback(deployment.close)
        customer = deployment.begin()
        load = Load(deployment.port, customer.token, args.clients)
        load.start()
        try:
            struck = _strike_all(deployment, load, _dealt(args, random.Random(seed)))
        finally:
            load.stop()
        verdict = _settle(deployment, customer.tenant_id, load)
        _print(deployment, load, struck, time.monotonic() - began)
    print(
        f"{struck.total():,} kills, {verdict.finished:,} finished, {verdict.stored:,} stored,"
        f" {verdict.missing:,} missing, {verdict.lost:,} counted as lost, {verdict.uncounted:,} uncounted,"
        f" {verdict.doubled:,} doubled, {verdict.refused:,} refused, {verdict.halves:,} halves shown as whole"
    )
    return 0 if verdict.is_good and struck.total() == args.kills else 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.gateway.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how often to kill (default: 200)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--seconds", type=float, default=3_600, help="to go on at most (default: 3600)")
    parser.add_argument("--seed", type=int, default=None, help="of a run to repeat (default: a new one)")
    parser.add_argument("--clients", type=int, default=8, help="that ask at the same time (default: 8)")
    parser.add_argument("--workers", type=int, default=2, help="of the gateway (default: 2)")
    parser.add_argument("--keep", action="store_true", help="leave PostgreSQL's data, the spool and the log")
    return parser.parse_args(argv)


def _dealt(args: argparse.Namespace, chance: random.Random) -> Iterator[tuple[str, float]]:
    """Deal the kinds like cards, a new pack when one is used up, each with how long to wait before it."""
    pack: list[str] = []
    ends_at = time.monotonic() + args.seconds
    for _ in range(args.kills):
        if time.monotonic() > ends_at:
            return
        pack = pack or chance.sample(sorted(args.kinds), len(args.kinds))
        yield pack.pop(), chance.uniform(0, DELAY_S_MAX)


def _strike_all(deployment: Deployment, load: Load, dealt: Iterable[tuple[str, float]]) -> Counter[str]:
    """Strike whenever all is well again; stop early if nothing recovers."""
    struck: Counter[str] = Counter()
    for kind, delay_s in dealt:
        if not _is_back(deployment, load):
            print("nothing recovers", file=sys.stderr)
            break
        time.sleep(delay_s)
        struck[kind] += KINDS[kind](deployment)
    _is_back(deployment, load)
    return struck


def _is_back(deployment: Deployment, load: Load) -> bool:
    """Restart what is dead, and wait until some requests finish."""
    give_up_at, goal = time.monotonic() + RECOVERY_S_MAX, len(load.seen.whole) + CALM
    while len(load.seen.whole) < goal:
        if time.monotonic() > give_up_at:
            return False
        deployment.mend()
        time.sleep(POLL_S)
    return True


def _settle(deployment: Deployment, tenant_id: int, load: Load) -> Verdict:
    """End the gateway, start another one, which reports what is left, and wait until all is accounted for."""
    deployment.mend()
    deployment.end_gateway()
    deployment.mend()
    give_up_at = time.monotonic() + SETTLED_S_MAX
    while (verdict := checker.check(deployment.behind.dsn, tenant_id, load.seen)).uncounted:
        if time.monotonic() > give_up_at:
            break
        deployment.mend()
        time.sleep(POLL_S)
    return verdict


def _print(deployment: Deployment, load: Load, struck: Counter[str], seconds: float) -> None:
    starts = deployment.starts | {"service": deployment.behind.service_starts}
    print(f"kills     {listed(struck)}")
    print(f"answers   {listed(load.seen.fates)}")
    print(f"starts    {listed(Counter(starts))}")
    print(f"took      {seconds:,.0f} s, {len(load.seen.whole) / seconds:,.0f} finished requests/s")


if __name__ == "__main__":
    sys.exit(main())
