"""A run: send every case, a bounded number at a time, and keep each outcome."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

from ingest.errors import CannotStart
from ingest.prove import families
from ingest.prove.case import Expected, Request
from ingest.prove.cases.learning import LESSONS
from ingest.prove.client import NOTHING, Address, Answer, Connection, send_alone
from ingest.prove.families import Planned
from ingest.prove.kit import Kit, Policy, read_policy
from ingest.prove.verdict import fault

SECRET_BYTES = 32
BUSY = frozenset({429, 503})  # Not a verdict on the case: retried.
BUSY_TRIES_MAX = 4
BUSY_WAIT_S_MAX = 10.0
_OK = 200
_POLICY = Request(method=b"GET", target=b"/v1/policy")


class Plan(NamedTuple):
    """The families to run, and the bounds of the run."""

    to: Address
    token: bytes
    learner_token: bytes | None  # The token of a tenant in mode `learn`.
    families: tuple[str, ...]
    seed: int
    concurrency: int
    cases_max: int | None
    time_s: float


class Outcome(NamedTuple):
    """The outcome of a case; `fault` is empty if the service kept its promise."""

    planned: Planned
    status: int
    fault: str


class Run(NamedTuple):
    """A finished run. If its two policies differ, the service learned something from the cases."""

    kit: Kit
    planned: list[Planned]
    outcomes: list[Outcome]
    started_at: float
    duration_s: float
    policy_faults: list[str]
    version: str
    skipped: tuple[str, ...] = ()  # Families that could not be proved here, each with the reason.


async def run(wanted: Plan, progress: Callable[[int], Callable[[int], object]]) -> Run:
    """Run the plan; raises CannotStart if the service is unreachable. `progress(total)` returns a counter of cases."""
    policy = await _policy(wanted.to, wanted.token)
    if others := _kinds_not_in(policy, "refuse"):
        raise CannotStart(f"The tenant does not refuse unknown terms ({others}): prove with one that does.")
    kit = Kit(policy, secrets.token_bytes(SECRET_BYTES), wanted.seed, time.time_ns() // 1_000_000)
    if wanted.learner_token is not None:
        kit.add_learner(await _learner_policy(wanted.to, wanted.learner_token))
    planned = families.plan(kit, wanted.families, wanted.cases_max)
    started_at, began = time.time(), time.monotonic()
    outcomes = await _Sender(wanted, kit, progress(len(planned))).send_all(planned)
    duration_s = time.monotonic() - began
    faults = _policy_faults(kit, policy, await _policy(wanted.to, wanted.token))
    if kit.learner is not None and wanted.learner_token is not None:
        after = await _learner_policy(wanted.to, wanted.learner_token)
        faults += _learner_faults(kit, kit.learner.policy, after)
    version = await _version(wanted)
    return Run(kit, planned, outcomes, started_at, duration_s, faults, version)


def _policy_faults(kit: Kit, before: Policy, after: Policy) -> list[str]:
    faults = []
    if (before.terms, before.tags) != (after.terms, after.tags):
        faults.append("the run changed the vocabulary")
    if list(kit.canaries.find(msgspec.json.encode(after))):
        faults.append("the policy contains a canary")
    return faults


def _learner_faults(kit: Kit, before: Policy, after: Policy) -> list[str]:
    faults = []
    lessons = {term for terms in LESSONS.values() for term in terms}
    known, learned = _strings(before), _strings(after)
    if not known <= learned <= known | lessons:
        faults.append("the tenant in mode learn learned a term that it should not")
    if list(kit.canaries.find(msgspec.json.encode(after))):
        faults.append("the policy of the tenant in mode learn contains a canary")
    return faults


def _strings(policy: Policy) -> set[str]:
    return {*policy.tags, *(term for terms in (*policy.terms.values(), *policy.tags.values()) for term in terms)}


def _kinds_not_in(policy: Policy, mode: str) -> str:
    return ", ".join(sorted(kind for kind, other in policy.modes.items() if other != mode))


class _Sender:
    """One worker per connection; all take cases from one list until it or the time ends."""

    def __init__(self, wanted: Plan, kit: Kit, count: Callable[[int], object]) -> None:
        self._wanted = wanted
        self._kit = kit
        self._count = count
        self._outcomes: list[Outcome] = []
        self._ends_at = time.monotonic() + wanted.time_s

    async def send_all(self, planned: list[Planned]) -> list[Outcome]:
        waiting = iter(planned)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self._wanted.concurrency):
                    workers.create_task(self._work(waiting))
        except* OSError:
            raise CannotStart("The service can no longer be reached.") from None
        return self._outcomes

    async def _work(self, waiting: Iterator[Planned]) -> None:
        async with _connection(self._wanted.to) as connection:
            for planned in waiting:
                if time.monotonic() > self._ends_at:
                    return
                answer = await self._ask(connection, planned)
                why = fault(planned.case, answer, self._kit.policy, self._kit.canaries)
                self._outcomes.append(Outcome(planned, answer.status, why or ""))
                self._count(1)

    async def _ask(self, connection: Connection, planned: Planned) -> Answer:
        token = self._wanted.learner_token if planned.case.is_of_learner else self._wanted.token
        assert token is not None
        wire = planned.case.request.encoded(self._wanted.to.authority, token, self._wanted.to.prefix)
        answer = NOTHING
        for _ in range(BUSY_TRIES_MAX):
            answer = await (send_alone(self._wanted.to, wire) if planned.case.is_alone else connection.send(wire))
            if answer.status not in BUSY or planned.case.expected is Expected.BROKEN:
                break
            wait = answer.headers.get("retry-after", "1")
            await asyncio.sleep(min(BUSY_WAIT_S_MAX, float(wait) if wait.isdigit() else 1.0))
        return answer


@asynccontextmanager
async def _connection(to: Address) -> AsyncIterator[Connection]:
    connection = Connection(to)
    try:
        yield connection
    finally:
        await connection.close()


async def _learner_policy(to: Address, token: bytes) -> Policy:
    policy = await _policy(to, token)
    if others := _kinds_not_in(policy, "learn"):
        raise CannotStart(f"The tenant of --learner-token does not learn every kind ({others}).")
    return policy


async def _policy(to: Address, token: bytes) -> Policy:
    answer = await _get(to, token, _POLICY)
    if answer.status != _OK:
        raise CannotStart(f"GET /v1/policy answered {answer.status}: it takes a token with the scope policy:read.")
    try:
        return read_policy(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CannotStart("GET /v1/policy did not return a policy.") from None


class _Info(msgspec.Struct):
    version: str


class _OpenApi(msgspec.Struct):
    info: _Info


async def _version(wanted: Plan) -> str:
    answer = await _get(wanted.to, wanted.token, _POLICY._replace(target=b"/openapi.json"))
    try:
        return msgspec.json.decode(answer.body, type=_OpenApi).info.version
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "unknown"


async def _get(to: Address, token: bytes, request: Request) -> Answer:
    async with _connection(to) as connection:
        try:
            return await connection.send(request.encoded(to.authority, token, to.prefix))
        except OSError:
            raise CannotStart("Nothing responds at that URL.") from None
