"""Reports LLM requests to nocontent: numbers, words of closed lists and terms, and nothing that anybody wrote."""

from nocontent_reporter.event import Event, Status, StopReason, Tags
from nocontent_reporter.reporter import Options, Reporter
from nocontent_reporter.stats import Stats

__all__ = ["Event", "Options", "Reporter", "Stats", "Status", "StopReason", "Tags"]
