"""The command `nocontent-reporter`: looks into a spool, sends what it holds, and checks events before they are sent.

Exit status: 0 if all is well, 1 if something was found or is left, 2 if the command could not do its work.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from nocontent_reporter import inspection, settings
from nocontent_reporter.inspection import Contents
from nocontent_reporter.reporter import Options, Reporter
from nocontent_reporter.stats import Stats

WELL, FOUND, FAILED = range(3)
TURN_S = 0.5  # Between lines of progress.
# Draining drops nothing: the proxy's bounds are the proxy's.
_UNBOUNDED = Options(spool_bytes=2**62, spool_days=36_500.0)
_HOPELESS = frozenset({
    "no-token", "bad-token", "expired-token", "revoked-token", "scope-missing", "tenant-disabled", "not-found",
    "401", "403", "404", "untrusted",
})  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit status."""
    args = _parser().parse_args(argv)
    try:
        if args.command == "check":
            return _check(args.spool, args.events)
        if args.command == "stats":
            return _stats(args.spool, is_json=args.json)
        return _drain(args)
    except (inspection.Unusable, settings.BadSettings, ValueError) as wrong:
        print(f"nocontent-reporter: {wrong}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nocontent-reporter", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="verify a spool, or check events, and never print a value of them")
    check.add_argument("spool", nargs="?", type=Path, help="a spool, which is not changed")
    check.add_argument("--events", type=Path, metavar="FILE", help="a JSON list of events, or a batch with one")
    stats = commands.add_parser("stats", help="count what a spool holds")
    stats.add_argument("spool", type=Path, help="a spool, which is not changed")
    stats.add_argument("--json", action="store_true", help="print one JSON object")
    drain = commands.add_parser(
        "drain", help="send what a spool holds", description="The options default to NOCONTENT_REPORTER_* settings."
    )
    drain.add_argument("spool", nargs="?", help="a spool; a proxy may be using it")
    drain.add_argument("--url", help="the server's address, such as https://telemetry.example")
    drain.add_argument("--token-file", metavar="FILE", help="a file with the token")
    drain.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS", help="(default: 300)")
    return parser


def _check(spool: Path | None, events: Path | None) -> int:
    if spool is None and events is None:
        raise ValueError("name a spool, or --events FILE")
    status = WELL
    if spool is not None:
        found = list(inspection.faults(spool))
        print("\n".join([f"{spool}: {each}" for each in found] or [f"{spool}: all is well"]))
        status = FOUND if found else WELL
        _show(inspection.contents(spool))
    if events is not None:
        broken = list(inspection.faults_of_events(events))
        print("\n".join(f"{pointer} {rule}" for pointer, rule in broken) or f"{events}: no event breaks a rule")
        status = FOUND if broken else status
    return status


def _stats(spool: Path, *, is_json: bool) -> int:
    found = inspection.contents(spool)
    if is_json:
        print(json.dumps(found._asdict()))
    else:
        _show(found)
    return WELL


def _show(found: Contents) -> None:
    print(f"waiting  {found.waiting:,} events")
    print(f"sending  {found.sending:,}")
    print(f"parked   {found.parked_for_terms:,} until a term is registered, {found.parked_for_time:,} until their time")
    print(f"losses   {_listed(found.losses)}")
    print(f"size     {found.bytes:,} bytes in {found.batches:,} batches, the oldest {found.oldest_s:,} s old")


def _drain(args: argparse.Namespace) -> int:
    spool, url, token = _server(args)
    before = inspection.contents(spool)  # So that a wrong path creates nothing.
    reporter = Reporter(url, token, spool, _UNBOUNDED)
    try:
        stats = _drained(reporter, time.monotonic() + args.timeout)
    finally:
        reporter.close(0)
    print(f"stored   {stats.stored:,} events, {stats.duplicates:,} of them before")
    print(f"refused  {_listed(stats.refused)}")
    print(f"answers  {_listed(stats.requests)}")
    left = stats.waiting + stats.parked
    print(f"left     {stats.waiting:,} of {before.waiting + before.sending:,}, and {stats.parked:,} parked")
    return FOUND if left else WELL


def _server(args: argparse.Namespace) -> tuple[Path, str, str]:
    """Return the spool, the URL and the token, of the options or else of the environment."""
    given = {"SPOOL": args.spool, "URL": args.url, "TOKEN_FILE": args.token_file}
    wanted = settings.from_environment({name: value for name, value in given.items() if value is not None})
    if wanted.spool is None:
        raise ValueError("name a spool")
    return wanted.spool, wanted.url, wanted.token


def _drained(reporter: Reporter, ends_at: float) -> Stats:
    """Send until nothing waits, or time is over, or the answers say that nothing will be stored."""
    shows = sys.stderr.isatty()
    while True:
        is_empty = reporter.flush(TURN_S)
        stats = reporter.stats()
        if shows:
            print(f"\r{stats.waiting:14,} events left", end="", file=sys.stderr, flush=True)
        is_hopeless = not stats.stored and bool(_HOPELESS & stats.requests.keys())
        if is_empty or is_hopeless or time.monotonic() >= ends_at:
            break
    if shows:
        print(file=sys.stderr)
    return stats


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"
