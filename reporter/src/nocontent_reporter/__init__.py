"""Reports LLM requests to nocontent: numbers, words of closed lists and terms, and nothing that anybody wrote."""

from typing import TYPE_CHECKING

from nocontent_reporter.event import Event, Status, StopReason, Tags

if TYPE_CHECKING:
    from nocontent_reporter.reporter import Options, Reporter
    from nocontent_reporter.stats import Stats

__all__ = ["Event", "Options", "Reporter", "Stats", "Status", "StopReason", "Tags"]


def __getattr__(name: str) -> object:
    """Import what reports when it is first asked for: a process that only counts tokens needs no SQLite and no TLS."""
    if name not in {"Options", "Reporter", "Stats"}:
        raise AttributeError(name)
    from nocontent_reporter import reporter  # noqa: PLC0415 - see above.

    return getattr(reporter, name)
