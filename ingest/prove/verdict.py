"""The verdict on a response: whether it keeps the promise, and if not, why, without quoting the case."""

from typing import get_args

import msgspec
from msgspec import Struct

from ingest.intake.litellm.content import CONTENT, DIAGNOSTICS
from ingest.prove.canaries import Canaries
from ingest.prove.case import OTLP, Case, Expected
from ingest.prove.client import Answer
from ingest.prove.kit import Policy
from schema.event import Batch, Status, StopReason, Stream

_OK = 200
_CLIENT = 400
_SERVER = 500
# Problems that no sender causes, and that no body can be the reason for.
_NOT_FOR_A_BODY = frozenset({401, 403, 408, 429})
_NOT_SPOKEN = frozenset({501, 505})  # Statuses of HTTP itself: RFC 9112, section 6.1; RFC 9110, section 15.6.6.
_PROBLEM = "application/problem+json"
_ENVELOPE = frozenset({"", "*", *Batch.__struct_fields__, *Stream.__struct_fields__})
_OTHERS = frozenset({"data", "source", "subject", "time", "type"}).union(*CONTENT, *DIAGNOSTICS)  # Of other formats.
_WORDS = frozenset({None, "unknown", "null", *get_args(Status), *get_args(StopReason)})


class _Violation(Struct, frozen=True):
    rule: str
    pointer: str
    use: str | None = None


class _Problem(Struct, frozen=True):
    type: str
    status: int
    violations: list[_Violation] = []


class _Receipt(Struct, frozen=True):
    accepted: int
    duplicates: int
    coarsened: int = 0
    rejected: int = 0  # Records of other formats, of which each is refused by itself.


def fault(case: Case, answer: Answer, policy: Policy, canaries: Canaries) -> str | None:
    """Return a response's fault, or None."""
    for found in canaries.find(answer.wire):
        return f"the answer holds the canary ({found.form})"
    if case.expected is Expected.UNSPOKEN:
        return _of_no(answer)
    if answer.status >= _SERVER and not (case.expected is Expected.BROKEN and answer.status in _NOT_SPOKEN):
        return f"status {answer.status}"
    if case.expected is Expected.BROKEN:
        return None
    if answer.status == 0:
        return "no answer"
    return _unexpected(case, answer, policy)


def _unexpected(case: Case, answer: Answer, policy: Policy) -> str | None:
    if case.request.target in OTLP:
        return _of_otlp(case, answer)
    is_stored = answer.status == _OK
    if case.expected is Expected.ACCEPTED or (case.expected is Expected.IGNORED and is_stored):
        return _of_receipt(case, answer)
    if case.expected is Expected.IGNORED and answer.status >= _CLIENT:
        return None
    if answer.status < _CLIENT or answer.status in _NOT_FOR_A_BODY:
        return f"status {answer.status}"
    return _of_problem(answer, policy)


def _of_otlp(case: Case, answer: Answer) -> str | None:
    """Judge by OTLP/HTTP: a success that stored everything is empty, and a refusal is a google.rpc.Status."""
    if case.expected is Expected.ACCEPTED:
        return None if answer.status == _OK and answer.body in {b"", b"{}"} else f"status {answer.status}, not stored"
    if answer.status == _OK and case.expected is Expected.IGNORED:
        return None
    if answer.status < _CLIENT or answer.status in _NOT_FOR_A_BODY:
        return f"status {answer.status}"
    asked = next((value.decode() for name, value in case.request.headers if name == b"Content-Type"), "")
    return None if answer.headers.get("content-type") == asked else "a refusal in another encoding"


def _of_no(answer: Answer) -> str | None:
    if answer.status == 0:
        return "an answer in another protocol" if answer.wire else None
    is_no = _CLIENT <= answer.status < _SERVER or answer.status in _NOT_SPOKEN
    return None if is_no else f"status {answer.status}"


def _of_receipt(case: Case, answer: Answer) -> str | None:
    if answer.status != _OK:
        return f"status {answer.status} for a good batch"
    if case.request.method != b"POST":
        return None
    try:
        receipt = msgspec.json.decode(answer.body, type=_Receipt)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "200 without a receipt"
    if receipt.accepted + receipt.duplicates + receipt.rejected != case.events:
        return "200, but not every event was counted"
    if receipt.rejected and case.expected is Expected.ACCEPTED:
        return "200, but a good record was rejected"
    return "200, but a term was replaced" if receipt.coarsened else None


def _of_problem(answer: Answer, policy: Policy) -> str | None:
    if answer.headers.get("content-type") != _PROBLEM:
        return "a refusal without a problem document"
    try:
        problem = msgspec.json.decode(answer.body, type=_Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "a problem document that cannot be decoded"
    if problem.status != answer.status:
        return "a problem document with another status"
    if any(violation.rule not in policy.rules for violation in problem.violations):
        return "a rule that the policy does not have"
    if any(violation.use not in _WORDS for violation in problem.violations):
        return "a word that the contract does not have"
    names = _ENVELOPE | _OTHERS | set(policy.fields) | set(policy.drop_reasons)
    is_known = all(_is_known(violation.pointer, names) for violation in problem.violations)
    return None if is_known else "a pointer with a name that the contract does not have"


def _is_known(pointer: str, names: frozenset[str]) -> bool:
    return all(part in names or part.isdigit() for part in pointer.split("/"))
