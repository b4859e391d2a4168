"""The tables of docs that gateway.json fills."""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence

from bench.aims import Aim
from bench.results import GatewayResults, Spread

NAMES = {
    "direct": "direct, no gateway",
    "ours": "**nocontent gateway**",
    "starlette": "Starlette, httpx2, uvicorn",
    "litellm": "LiteLLM proxy",
}
HEADS = (
    "1 worker", "JSON/s, 32 connections", "lowest – highest", "p50 ms, 10 connections", "CPU µs a request",
    "of its other processes", "streams/s, 32 connections",
    "added to the first byte ms: JSON", "stream", "RSS MB", "with its other processes", "1,000 idle streams, MB more",
    "start s",
)  # fmt: skip


def _ours(figure: str) -> Callable[[GatewayResults], float | None]:
    def of(found: GatewayResults) -> float | None:
        spread = found.systems.get("ours", {}).get(figure)
        return None if spread is None else spread.median

    return of


AIMS: tuple[Aim[GatewayResults], ...] = (
    Aim("JSON requests a second, 32 connections", _ours("json_32_requests_s"), operator.ge, 3_000),
    Aim("× LiteLLM's proxy", lambda found: found.ratio_litellm, operator.ge, 10),
    Aim("p50 at 10 connections, ms", _ours("json_10_p50_ms"), operator.le, 2),
    Aim("added to the first byte, median, ms", _ours("stream_1_added_ms"), operator.le, 1),
    Aim("RSS of the worker, MB", _ours("rss_mb"), operator.le, 100),
    Aim("start, s", _ours("start_s"), operator.le, 1),
    Aim("1,000 idle streams, MB more", _ours("idle_streams_mb"), operator.le, 60),
)


def taken(found: GatewayResults) -> Iterator[str]:
    here = found.machine
    yield (
        f"`{found.command}` at {found.commit} on {found.taken_at[:10]}: {here.cores} cores of {here.processor}, Python"
        f" {here.python}; load average {here.load_before:g} before; medians of {found.rounds} interleaved rounds."
    )
    yield ""


def aims(found: GatewayResults) -> list[Sequence[str]]:
    return [aim.row(found) for aim in AIMS]


def rows(found: GatewayResults) -> list[Sequence[str]]:
    return [_row(NAMES[name], figures) for name, figures in found.systems.items()]


def _row(name: str, figures: Mapping[str, Spread]) -> Sequence[str]:
    def median(figure: str, form: str) -> str:
        return format(figures[figure].median, form) if figure in figures else ""

    speed = figures["json_32_requests_s"]
    return (
        name,
        f"{speed.median:,.0f}",
        f"{speed.min:,.0f} – {speed.max:,.0f}",
        median("json_10_p50_ms", ".2f"),
        median("json_32_cpu_us", ".0f"),
        median("json_32_others_cpu_us", ".0f"),
        median("stream_32_requests_s", ",.0f"),
        median("json_1_added_ms", ".2f"),
        median("stream_1_added_ms", ".2f"),
        median("rss_mb", ".0f"),
        median("rss_all_mb", ".0f"),
        median("idle_streams_mb", ".0f"),
        median("start_s", ".2f"),
    )
