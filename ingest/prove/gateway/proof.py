"""A proof of a gateway: all passages, the ends of its worker, a search of every place, and what the kernel refuses."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ingest import logs
from ingest.errors import CannotStart
from ingest.prove import search
from ingest.prove.canaries import Canaries
from ingest.prove.case import Expected
from ingest.prove.client import Address, address
from ingest.prove.gateway import attempts, ends, place, sending, tracing
from ingest.prove.gateway.ends import ENDS
from ingest.prove.gateway.passages import Passage, asks_provider, passages
from ingest.prove.gateway.place import Gateway, Place
from ingest.prove.gateway.tracing import Trace
from ingest.prove.kit import Kit, Policy
from ingest.prove.run import SECRET_BYTES, Outcome, Run
from ingest.prove.search import SearchResult
from schema.event import Kind
from schema.vocabulary import shipped_terms

CONCURRENCY = 4
VERSION = "0.1.0"
_REPORTED_S = 10.0  # For the companion to report the last requests.
_CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
Progress = Callable[[int], Callable[[int], object]]


class Proof:
    """What a proof has found so far."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.outcomes: list[Outcome] = []
        self.searched: list[SearchResult] = []
        self.faults: list[str] = []
        self.skipped: list[str] = []
        self.lines: list[str] = []  # Facts for the reader.

    @property
    def canaries(self) -> Canaries:
        return self.kit.canaries


def prove(seed: int, cases_max: int | None, progress: Progress) -> tuple[Run, list[SearchResult], list[str]]:
    """Prove a gateway of this machine; return the run, what was searched, and facts. Raises CannotStart."""
    started_at, began = time.time(), time.monotonic()
    proof = Proof(_kit(seed))
    with place.place() as where:
        _pass_through(proof, where, sample(list(passages(proof.canaries)), cases_max), progress)
        _crash(proof, where)
        _attempt(proof, where)
        _search_rest(proof, where)
    planned = [outcome.planned for outcome in proof.outcomes]
    run = Run(
        proof.kit, planned, proof.outcomes, started_at, time.monotonic() - began, proof.faults, VERSION,
        tuple(proof.skipped),
    )  # fmt: skip
    return run, proof.searched, proof.lines


def prove_remote(to: Address, token: str, seed: int, cases_max: int | None, progress: Progress) -> Run:
    """Send a gateway elsewhere what asks nothing of its provider; whoever runs it searches. Raises CannotStart."""
    started_at, began, kit = time.time(), time.monotonic(), _kit(seed)
    possible = [_anyhow(passage) for passage in passages(kit.canaries) if not asks_provider(passage)]
    every = sample(possible, cases_max)
    try:
        outcomes = asyncio.run(_send(every, to, token, progress(len(every))))
    except* OSError:
        raise CannotStart("The gateway cannot be reached.") from None
    planned = [outcome.planned for outcome in outcomes]
    return Run(kit, planned, outcomes, started_at, time.monotonic() - began, [], VERSION)


def _anyhow(passage: Passage) -> Passage:
    """Return a passage that may be answered in any way if it is good: the provider will refuse its key."""
    is_good = passage.case.expected is Expected.ACCEPTED
    return passage._replace(case=passage.case._replace(expected=Expected.BROKEN)) if is_good else passage


def _kit(seed: int) -> Kit:
    """Return a kit for canaries; a gateway has no policy of its own."""
    terms = {kind: list(shipped_terms(of)) for kind, of in _TERMS.items()}
    policy = Policy("of no tenant", 0, [], [], {}, {}, {}, terms, {})
    return Kit(policy, secrets.token_bytes(SECRET_BYTES), seed, time.time_ns() // 1_000_000)


_TERMS = {"task_category": Kind.TASK_CATEGORY, "provider": Kind.PROVIDER, "model": Kind.MODEL}


def sample(every: list[Passage], count: int | None) -> list[Passage]:
    """Return all passages, or an even sample of them."""
    if count is None or count >= len(every):
        return every
    return [every[place * len(every) // count] for place in range(count)]


def _pass_through(proof: Proof, where: Place, every: list[Passage], progress: Progress) -> None:
    """Send every passage through one gateway under strace, and search what is there while it runs."""
    with place.gateway(where) as running:
        with tracing.traced(running.worker, where.folder / "strace") as traces:
            proof.outcomes += asyncio.run(_send(every, where.address, where.service.token, progress(len(every))))
        _judge_trace(proof, traces[0])
        _require_arrival(proof, where, every)
        metrics = asyncio.run(search.in_metrics(proof.canaries, address(f"http://{where.metrics_bind}"), "/metrics"))
        proof.searched += [*metrics, _in_memory(proof, running)]


async def _send(every: Sequence[Passage], to: Address, token: str, count: Callable[[int], object]) -> list[Outcome]:
    waiting = iter(every)
    outcomes: list[Outcome] = []

    async def work() -> None:
        for passage in waiting:
            outcomes.append(await sending.send(passage, to, token))
            count(1)

    async with asyncio.TaskGroup() as workers:
        for _ in range(CONCURRENCY):
            workers.create_task(work())
    return outcomes


def _judge_trace(proof: Proof, trace: Trace) -> None:
    if trace.why_not:
        proof.skipped.append(f"strace: {trace.why_not}")
        return
    proof.faults += [f"strace saw {fault}" for fault in trace.faults]
    if not any(name.endswith("to socket") for name in trace.seen):
        proof.faults.append("strace saw no write to a socket, so it saw nothing")
    proof.lines += [f"strace      {name}: {count:,}" for name, count in sorted(trace.seen.items())]


def _require_arrival(proof: Proof, where: Place, every: Sequence[Passage]) -> None:
    """Check that canaries did pass: one that never reached the provider proves nothing."""
    received = b"\n".join(
        b"\n".join([request.target.encode(), *(value.encode("latin-1") for _, value in request.fields), request.body])
        for request in where.provider.received
    )
    wanted = [passage for passage in every if passage.case.expected is Expected.ACCEPTED]
    missing = [passage for passage in wanted if passage.case.canary.encode() not in received]
    proof.faults += [f"the provider never got the canary of: {passage.case.name}" for passage in missing]
    proof.lines.append(f"provider    {len(where.provider.received):,} requests, {len(wanted) - len(missing)} canaries")


def _in_memory(proof: Proof, running: Gateway) -> SearchResult:
    return search.in_memory(proof.canaries, [running.parent.pid])


def _crash(proof: Proof, where: Place) -> None:
    for how in ENDS:
        with place.gateway(where) as running:
            proof.outcomes.append(asyncio.run(ends.end(where, running, how, proof.canaries)))


def _attempt(proof: Proof, where: Place) -> None:
    found = attempts.attempts(where.environment, where.folder)
    proof.faults += [f"a confined process can {what}" for what in found.possible]
    if found.dumps:
        proof.faults.append("a confined process that crashes leaves its memory")
    proof.lines += [f"refused     {what}" for what in found.refused]
    proof.lines.append("refused     leave a core file")


def _search_rest(proof: Proof, where: Place) -> None:
    deadline = time.monotonic() + _REPORTED_S
    while not where.service.events and time.monotonic() < deadline:
        time.sleep(0.1)
    if where.service.refusals:
        proof.faults.append("the service refused what the gateway reported")
    if not where.service.events:
        proof.faults.append("the gateway reported nothing")
    proof.lines.append(f"events      {sum(where.service.events):,} reported")
    proof.searched += [
        search.in_pieces("events", proof.canaries, where.service.bodies),
        search.in_files("logs", proof.canaries, [where.log], logs.flush),
        search.in_files("files", proof.canaries, [where.folder, *_core_folder()], logs.flush),
    ]
    cores = [file.name for file in where.folder.rglob("core*") if file.is_file()]
    proof.faults += [f"a core file was left: {name}" for name in cores]


def _core_folder() -> list[Path]:
    """Return where the kernel would put core files, if that is a folder of its own."""
    pattern = _CORE_PATTERN.read_text("utf-8").strip() if _CORE_PATTERN.exists() else ""
    folder = Path(pattern).parent
    return [folder] if pattern.startswith("/") and folder.is_dir() and folder != Path("/") else []
