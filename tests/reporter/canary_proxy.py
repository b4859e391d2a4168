"""A proxy that hands over a word in every place, and then writes down all text that its reporters still hold."""

import gc
import json
import logging
import os
import sqlite3
import sys
import threading
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypedDict

from nocontent_reporter import Options, Reporter, answers, policy
from nocontent_reporter.litellm import Recorder
from nocontent_reporter.settings import Settings
from tests.reporter import canary_places as places

PACKAGE = "nocontent_reporter"
WAIT_S = 20.0
_SKIPPED = (types.ModuleType, types.BuiltinFunctionType, types.CodeType)


class Orders(TypedDict):
    """What the test orders: a word for each place, and the file for what is found in memory."""

    url: str
    token: str
    spool: str
    memory: str
    words: dict[str, str]
    term: str  # A word that passes as a term: the spool keeps it, and each search must find it.


class Reporters(NamedTuple):
    """A reporter with a spool, one without, and LiteLLM's callback."""

    spooled: Reporter
    unspooled: Reporter
    recorder: Recorder

    def all(self) -> list[Reporter]:
        return [self.spooled, self.unspooled, self.recorder.reporter]


def main(orders: Orders) -> None:
    logging.basicConfig()
    answers.RETRY_S_MAX, answers.SLOW_S_MIN, answers.SLOW_S_MAX = 0.0, 0.001, 0.002
    policy.POLL_S, policy.SETTLE_S = 0.02, 0.01
    reporters = _made(orders, _raising(places.prose(orders["words"]["the callback's exception"])))
    _hand_over(reporters, orders["words"])
    reporters.spooled.report(places.event(routed_model=orders["term"]))
    reporters.unspooled.report(places.event(routed_model=orders["term"]))
    _settle(reporters)
    orders["words"].clear()
    gc.collect()
    Path(orders["memory"]).write_bytes(b"\n".join(held([*reporters, *_modules()])))
    counts = [reporter.stats()._asdict() for reporter in reporters.all()]
    _say(json.dumps({"counts": counts, "unread": reporters.recorder.unread}))
    os._exit(0)  # As a proxy that is killed: the spool stays as it is, with SQLite's log.


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _made(orders: Orders, on_refused: Callable[[str, int], None]) -> Reporters:
    for url, token in (
        (orders["url"], places.prose(orders["words"]["a bad token"])),
        (f"{orders['url']}/?prompt={orders['words']['a bad URL']}", "nct_x"),
        (orders["url"].replace("//", f"//proxy:{orders['words'][places.PASSWORD]}@"), "nct_x"),
    ):
        try:
            Reporter(url, token)
        except ValueError as error:
            _say(repr(error))
    options = Options(interval_s=60, on_refused=on_refused)
    settings = Settings(url=orders["url"], token=orders["token"], tag_keys=frozenset({"team"}))
    return Reporters(
        Reporter(orders["url"], orders["token"], orders["spool"], options),
        Reporter(orders["url"], orders["token"], options=options),
        Recorder(settings),
    )


def _raising(text: str) -> Callable[[str, int], None]:
    """Return a callback of a host whose own error has content in it."""

    def on_refused(_rule: str, _events: int) -> None:
        raise LookupError(text)

    return on_refused


def _hand_over(reporters: Reporters, words: Mapping[str, str]) -> None:
    for name, make in {**places.REFUSED, **places.STORED}.items():
        for reporter in (reporters.spooled, reporters.unspooled):
            reporter.report(make(places.prose(words[name])))  # type: ignore[arg-type]  # Wrong types are the point.
    for name, make in {**places.RECORDS, **places.BAD_RECORDS, **places.UNREADABLE}.items():
        text = places.prose(words[name])
        reporters.recorder.log_success_event(*places.call(make(text), text))


def _settle(reporters: Reporters) -> None:
    """Wait until all is answered, and the policy has been asked for while the term waits for it."""
    ends_at = time.monotonic() + WAIT_S
    for reporter in reporters.all():
        assert reporter.flush(WAIT_S)
    for reporter in reporters.all()[:2]:
        while (stats := reporter.stats()).parked != 1 or stats.requests.get("policy-304", 0) == 0:
            assert time.monotonic() < ends_at, stats
            time.sleep(0.01)


def _modules() -> list[dict[str, object]]:
    return [vars(module) for name, module in sys.modules.items() if name.partition(".")[0] == PACKAGE]


def held(roots: Iterable[object]) -> Iterator[bytes]:
    """Yield every text that is reachable from objects, from the threads of the package, and in SQLite's memory."""
    seen: dict[int, object] = {}  # Kept, so that no other object gets the same id.
    left = [*roots, *_locals_of_threads()]
    while left:
        found = left.pop()
        if id(found) in seen or _is_of_others(found):
            continue
        seen[id(found)] = found
        if isinstance(found, str):
            yield found.encode("utf-8", "surrogatepass")
        elif isinstance(found, (bytes, bytearray)):
            yield bytes(found)
        elif isinstance(found, sqlite3.Connection):
            yield found.serialize()
        left += gc.get_referents(found)
        left += found.keys() if isinstance(found, dict) else ()  # The collector looks for cycles, so not at strings.


def _is_of_others(found: object) -> bool:
    """Return whether an object is code or a module of others, from which everything in a process can be reached."""
    if isinstance(found, (type, types.FunctionType)):
        return (found.__module__ or "").partition(".")[0] != PACKAGE
    return isinstance(found, _SKIPPED)


def _locals_of_threads() -> Iterator[object]:
    """Yield the local variables of the package's threads, in all their calls."""
    ours = {thread.ident for thread in threading.enumerate() if thread.name.startswith("nocontent-")}
    for ident, frame in sys._current_frames().items():  # noqa: SLF001 - documented, in spite of its name.
        at: types.FrameType | None = frame if ident in ours else None
        while at is not None:
            yield from at.f_locals.values()
            at = at.f_back


if __name__ == "__main__":
    main(json.load(sys.stdin))
