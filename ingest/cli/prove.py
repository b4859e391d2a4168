"""`prove`: run the conformance kit against a running service, or against one started here."""

import argparse
import asyncio
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from ingest.cli import prove_gateway
from ingest.cli.arguments import Subparsers
from ingest.config import dsn
from ingest.errors import CannotStart
from ingest.prove import erasure, local, report, run, search, summary
from ingest.prove.client import address
from ingest.prove.families import FAMILIES, LEARNING
from ingest.prove.local import Here
from ingest.prove.run import Plan, Run
from ingest.prove.search import SearchResult

TIME_S = 600.0
CONCURRENCY = 8
CONCURRENCY_MAX = 256
_SEED_BITS = 32
_NAMES = (*FAMILIES, erasure.FAMILY)


def add(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    says = (
        "try to get content and keys into a service, search for them everywhere, and report; status 0: none was found"
    )
    command = commands.add_parser("prove", help=says, description=says)
    command.add_argument("--url", help="the service, as http://host:port")
    command.add_argument("--token", help="the token of a tenant that refuses unknown terms; stores good batches")
    command.add_argument(
        "--learner-token", metavar="TOKEN", help="one with vocabulary:write of a tenant in mode learn; learns terms"
    )
    command.add_argument(
        "--local", action="store_true", help="start PostgreSQL and the service here, and search everything"
    )
    command.add_argument(
        "--gateway", action="store_true", help="prove a gateway instead: that of --url, or one started here (Linux)"
    )
    _add_bounds(command)
    _add_places(command)
    command.add_argument("--report-dir", type=Path, help="write report.json, .junit.xml, .md and .html to this folder")
    command.set_defaults(run=_prove)


def _add_bounds(command: argparse.ArgumentParser) -> None:
    command.add_argument("--cases", type=_positive, metavar="N", help="send an even sample (default: all)")
    command.add_argument("--time", type=float, default=TIME_S, metavar="S", help=f"stop after S seconds ({TIME_S:.0f})")
    command.add_argument("--concurrency", type=_positive, default=CONCURRENCY, help=f"connections ({CONCURRENCY})")
    command.add_argument("--seed", type=int, help="repeat the choices of another run; the canaries are new")
    command.add_argument("--family", nargs="+", choices=_NAMES, metavar="NAME", help=", ".join(_NAMES))


def _add_places(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--logs", nargs="+", type=Path, default=[], metavar="FILE", help="search these files or folders"
    )
    command.add_argument("--metrics-url", metavar="URL", help="search these metrics")
    command.add_argument("--dsn", help="search every table of this database")
    command.add_argument("--data-dir", type=Path, metavar="DIR", help="search all files of this PostgreSQL")
    command.add_argument(
        "--pid", nargs="+", type=int, default=[], help="search the memory of these processes; reported, not gated"
    )


def _prove(args: argparse.Namespace) -> int:
    if args.gateway:
        return prove_gateway.prove(
            args, _progress("passages"),
            lambda run: [*asyncio.run(_search_live(args, run)), *_search_files(args, run)],
        )  # fmt: skip
    try:
        finished, searched = _locally(args) if args.local else _remotely(args)
    except ValueError:
        raise CannotStart("The URL is not of the form http://host:port.") from None
    for one in searched:
        # A login may lack access to parts, such as large objects; the report says so.
        if one.place in {"database", "metrics", "logs", "data files"} and one.unread and not one.bytes:
            raise CannotStart(f"The {one.place} could not be read at all.")
    whole = summary.summed(finished, searched, _host(args))
    print(summary.as_text(whole))
    if args.report_dir:
        report.write(whole, finished, args.report_dir)
        print(f"report      {args.report_dir}/report.html")
    return 0 if whole.verdict == summary.PASS else 1


def _remotely(args: argparse.Namespace) -> tuple[Run, list[SearchResult]]:
    if not args.url or not args.token:
        raise CannotStart("Name a service with --url and --token, or start one here with --local.")
    for path in (*args.logs, args.data_dir):
        if path and not path.exists():
            raise CannotStart(f"{path} does not exist and cannot be searched.")
    finished = asyncio.run(run.run(_wanted(args, args.url, args.token), _progress("cases")))
    searched = asyncio.run(_search_live(args, finished))
    return finished, [*searched, *_search_files(args, finished)]


def _locally(args: argparse.Namespace) -> tuple[Run, list[SearchResult]]:
    """Search processes while they run, then files once PostgreSQL has stopped; keep files with a find."""
    # SIGTERM acts like Ctrl-C, so that every process started here ends too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with local.service() as here:
        args.url, args.dsn, args.metrics_url = here.url, here.dsn, here.metrics_url
        args.learner_token = here.learner_token
        args.pid = [*args.pid, *here.pids]
        finished = asyncio.run(run.run(_wanted(args, here.url, here.token), _progress("cases")))
        finished, erased = _erase(args, here, finished)
        searched = [*asyncio.run(_search_live(args, finished)), *erased]
    args.logs = [*args.logs, *here.logs]
    args.data_dir = here.data_dir
    searched += _search_files(args, finished)
    if not any(one.is_gated and one.finds for one in searched):
        local.remove(here)
    return finished, searched


def _erase(args: argparse.Namespace, here: Here, finished: Run) -> tuple[Run, list[SearchResult]]:
    """Prove the family `erasure`, if it is wanted; return the run with its outcomes, and what was searched."""
    if args.family and erasure.FAMILY not in args.family:
        return finished, []
    if here.erasable is None:
        return finished._replace(skipped=(erasure.SKIPPED,)), []
    outcomes, searched = asyncio.run(erasure.prove(here.erasable, address(here.url), finished.kit, here.logs))
    planned = [*finished.planned, *(outcome.planned for outcome in outcomes)]
    return finished._replace(planned=planned, outcomes=[*finished.outcomes, *outcomes]), searched


def _wanted(args: argparse.Namespace, url: str, token: str) -> Plan:
    seed = random.getrandbits(_SEED_BITS) if args.seed is None else args.seed
    learner_token = args.learner_token.encode("ascii") if args.learner_token else None
    possible = tuple(name for name in FAMILIES if learner_token or name not in LEARNING)
    if not args.local and erasure.FAMILY in (args.family or ()):
        raise CannotStart("Erasure is proved with a database of its own: --local.")
    families = tuple(name for name in args.family or possible if name != erasure.FAMILY)
    if others := set(families) - set(possible):
        raise CannotStart(f"Pass --learner-token of a tenant in mode learn to prove {', '.join(sorted(others))}.")
    concurrency = min(args.concurrency, CONCURRENCY_MAX)
    return Plan(address(url), token.encode("ascii"), learner_token, families, seed, concurrency, args.cases, args.time)


async def _search_live(args: argparse.Namespace, finished: Run) -> list[SearchResult]:
    canaries = finished.kit.canaries
    searched = []
    if args.metrics_url:
        path = urlsplit(args.metrics_url).path or "/metrics"
        try:
            searched.extend(await search.in_metrics(canaries, address(args.metrics_url), path))
        except OSError:
            raise CannotStart("Nothing responds at the URL of the metrics.") from None
    if args.dsn:
        dsn.check(args.dsn, "--dsn")
        with _bar("tables", None) as step:
            searched.extend(await search.in_database(canaries, args.dsn, step))
    if args.pid:
        searched.append(search.in_memory(canaries, args.pid))
    return searched


def _search_files(args: argparse.Namespace, finished: Run) -> list[SearchResult]:
    places = {"logs": args.logs, "data files": [args.data_dir] if args.data_dir else []}
    searched = []
    for place, paths in places.items():
        if paths:
            with _bar(place, None) as step:
                searched.append(search.in_files(place, finished.kit.canaries, paths, step))
    return searched


def _progress(what: str) -> Callable[[int], Callable[[int], object]]:
    def start(total: int) -> Callable[[int], object]:
        bar = tqdm(total=total, desc=what, unit="case", disable=not sys.stderr.isatty())
        return bar.update

    return start


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Callable[[], object]]:
    with tqdm(total=total, desc=what, leave=False, disable=not sys.stderr.isatty()) as bar:
        yield bar.update


def _host(args: argparse.Namespace) -> str:
    return urlsplit(str(args.url)).netloc


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number
