"""Explains why a body was refused: walks it in small steps, with bounded work and memory, and names rules and places.

Runs only after a gate has refused the body, and cannot accept it. Objects are read one level at a time as raw members,
so that the decoder skips over a hostile body and never builds it in memory. A step makes at most one pass of msgspec
over the body, so the caller can do other work between any two steps.
"""

from collections.abc import Mapping
from contextlib import suppress

import msgspec
from msgspec import Raw

from ingest.intake.errors import Malformed, Rejected
from ingest.intake.explain import misfits
from ingest.intake.explain.columns import Columns
from ingest.intake.explain.objects import BATCH, object_of, types_of
from ingest.intake.explain.values import Full
from ingest.serving import steps
from ingest.serving.steps import Steps
from schema import limits
from schema.decode import Window
from schema.event import DROP_REASONS, Count, Stream
from schema.rules import ORDER, Violation
from schema.vocabulary import Vocabulary

_STREAM = object_of(types_of(Stream))
_DROPPED = object_of(dict.fromkeys(DROP_REASONS, Count))
_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\n\r"))
_LISTS = ("terms", "tag_sets", "columns")
UNEXPLAINED = Violation("size.unexplained", "")


def explain(body: bytes, vocabulary: Vocabulary, window: Window) -> Malformed | Rejected:
    """Explain a refused body, in one call."""
    explanation = Explanation(body, vocabulary, window)
    steps.finish(explanation.steps())
    return explanation.refusal() or Rejected((UNEXPLAINED,))


def cut(body: bytes) -> Malformed | Rejected:
    """Return a refusal without an explanation, with the status that a whole explanation would have."""
    try:
        msgspec.json.decode(body, type=Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error, msgspec.MsgspecError):
            return Malformed((Violation("shape.malformed-json", ""), UNEXPLAINED))
    return Rejected((UNEXPLAINED,))


class Explanation:
    """The faults found so far in one body; `names` counts the unknown names read so far."""

    def __init__(self, body: bytes, vocabulary: Vocabulary, window: Window) -> None:
        self._body = body
        self._walk = _Walk(vocabulary, window)
        self._is_whole = False

    @property
    def names(self) -> int:
        return limits.NAMES_MAX - self._walk.names_left

    def steps(self) -> Steps[None]:
        """Walk the body, with a yield after each piece of work."""
        with suppress(Full):
            yield from self._walk.body(self._body)
        self._is_whole = True

    def refusal(self) -> Malformed | Rejected | None:
        """Return the rules broken, best explanation first; None if none was found."""
        walk = self._walk
        violations = tuple(sorted(walk.violations, key=lambda violation: ORDER[violation.rule]))
        if not violations:
            return None
        if not self._is_whole:
            violations += (UNEXPLAINED,)
        if any(violation.rule == "shape.malformed-json" for violation in violations):
            return Malformed(violations)
        return Rejected(violations, frozenset(walk.candidates if walk.is_learnable and self._is_whole else ()))

    @property
    def is_final(self) -> bool:
        """True once a fault was found that learning cannot repair."""
        return not self._walk.is_learnable


class _Walk(Columns):
    """Walks a body from the outside in."""

    def body(self, body: bytes) -> Steps[None]:
        yield from self.characters(body)
        try:
            body = yield from misfits.plain(body)
            if body.lstrip()[:1] == b"{":
                members = yield from self.members(body, BATCH, "", BATCH.fields)
                yield from self.batch(members)
            else:
                msgspec.json.decode(body, type=Raw)  # Is it JSON at all?
                self.found("shape.wrong-type", "")
        except UnicodeDecodeError:
            return  # Already reported as shape.non-ascii.
        except RecursionError:
            self.found("shape.too-deep", "")
        except msgspec.MsgspecError:
            self.found("shape.malformed-json", "")

    def characters(self, body: bytes) -> Steps[None]:
        if not body.isascii():
            self.found("shape.non-ascii", "")
        if b"\\" in body:
            self.found("shape.escape", "")
        yield
        if len(body.translate(None, _CONTROLS)) < len(body):
            self.found("shape.control-character", "")
        yield

    def batch(self, members: Mapping[str, bytes]) -> Steps[None]:
        listed = {name: members[name] for name in _LISTS if name in members}
        if "events" in members:
            yield from self.events(members["events"])
        if listed:
            if "events" in members:
                self.found("shape.two-spellings", "")
            yield from self.columns(listed)
        elif _is_empty(members.get("events", b"[]"), b"[]"):
            self.losses_alone(members)
        yield from self.envelope(members)

    def envelope(self, members: Mapping[str, bytes]) -> Steps[None]:
        if "stream" in members:
            stream = yield from self.members(members["stream"], _STREAM, "/stream")
            for name, raw in stream.items():
                self.field(_STREAM.fields[name], name, raw, f"/stream/{name}")
                yield
        if "dropped" in members:
            dropped = yield from self.members(members["dropped"], _DROPPED, "/dropped", DROP_REASONS)
            for name, raw in dropped.items():
                self.field(_DROPPED.fields[name], name, raw, f"/dropped/{name}")

    def losses_alone(self, members: Mapping[str, bytes]) -> None:
        """Report what a batch without events lacks to be a report of losses."""
        if _is_empty(members.get("dropped", b"{}"), b"{}"):
            self.found("size.no-events" if "events" in members else "shape.missing-field", "/events")
        elif "stream" not in members:
            self.found("shape.dropped-without-stream", "/stream")


def _is_empty(raw: bytes, brackets: bytes) -> bool:
    return raw[:1] == brackets[:1] and not raw[1:-1].strip()
