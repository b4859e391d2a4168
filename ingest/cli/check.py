"""`check`: decode a file offline as the service would, and explain a refusal."""

import argparse
import sys
import time
from pathlib import Path

import msgspec

from ingest.cli.arguments import Subparsers
from ingest.errors import CannotStart
from ingest.intake.errors import Rejected
from ingest.intake.explain import explain
from ingest.serving import codings
from ingest.serving.errors import BadEncoding, BodyTooLarge
from schema import limits
from schema.decode import Refused, Window, decode
from schema.event import Kind
from schema.rules import RULES
from schema.vocabulary import Mode, Vocabulary, shipped_terms

_EPILOG = """\
Without --policy, the terms are the shipped catalogue's and no tags are declared. To check as a tenant:
  curl -sS -H "Authorization: Bearer $TOKEN" https://…/v1/policy > policy.json
  nocontent check --policy policy.json batch.json
"""


class _Policy(msgspec.Struct, frozen=True):
    """The fields of `GET /v1/policy` that decoding needs."""

    retention_days: int
    terms: dict[str, list[str]]
    tags: dict[str, list[str]]
    modes: dict[str, str]


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    says = "check whether a body would be accepted, and if not, why; nothing is sent"
    command = commands.add_parser(
        "check", help=says, description=says, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("file", help="a body of POST /v1/events; .gz and .zst are decompressed; - for standard input")
    command.add_argument("--policy", help="a file with the response of GET /v1/policy")
    command.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> int:
    policy = _policy(args.policy)
    vocabulary = _vocabulary(policy)
    now_ms = time.time_ns() // 1_000_000
    window = Window.at(now_ms, policy.retention_days)
    data = _read(args.file)
    try:
        decoded = decode(data, vocabulary, window)
    except Refused:
        refusal = explain(data, vocabulary, window)
    else:
        print(f"accepted: {len(decoded.tags)} events, {decoded.coarsened} strings coarsened")
        return 0
    for rule, pointer, use in refusal.violations:
        print(f"{rule:34} {pointer or '/':28} {RULES[rule].says}{f' Here: {use}.' if use else ''}")
    if isinstance(refusal, Rejected) and refusal.candidates:
        print(f"accepted, if the budget allows {len(refusal.candidates)} new terms", file=sys.stderr)
        return 0
    print(f"refused: {len(refusal.violations)} violations", file=sys.stderr)
    return 1


def _read(name: str) -> bytes:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        if name.endswith(".gz"):
            return codings.gunzip(data)
        return codings.unzstd(data) if name.endswith(".zst") else data
    except OSError:
        raise CannotStart("The file cannot be read.") from None
    except (BadEncoding, BodyTooLarge):
        raise CannotStart("The file is not in the format its name says, or is too large once decompressed.") from None


def _policy(name: str | None) -> _Policy:
    if name is None:
        terms = {kind.name.lower(): list(shipped_terms(kind)) for kind in Kind}
        return _Policy(limits.RETENTION_DAYS_MAX, terms, {}, {})
    try:
        return msgspec.json.decode(Path(name).read_bytes(), type=_Policy)
    except (OSError, msgspec.MsgspecError):
        raise CannotStart("The policy file is not a response of GET /v1/policy.") from None


def _vocabulary(policy: _Policy) -> Vocabulary:
    """Return a vocabulary with arbitrary ids: nothing is stored."""
    shipped = {
        kind: {term: number for number, term in enumerate(policy.terms.get(kind.name.lower(), []), 1)} for kind in Kind
    }
    vocabulary = Vocabulary({Kind[kind.upper()]: Mode[mode.upper()] for kind, mode in policy.modes.items()}, shipped)
    for key_id, (key, values) in enumerate(policy.tags.items(), 1):
        vocabulary.add(Kind.TAG_KEY, 0, key, key_id)
        for value_id, value in enumerate(values, 1):
            vocabulary.add(Kind.TAG_VALUE, key_id, value, key_id * limits.EVENTS_MAX + value_id)
    return vocabulary
