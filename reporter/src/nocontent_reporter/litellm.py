"""A callback for LiteLLM that reports each call, so that content never leaves the proxy.

In the proxy's configuration: `litellm_settings: {callbacks: [nocontent_reporter.litellm.callback]}`; the settings come
from the environment. The module can be imported without LiteLLM; `callback` needs it, and is made when it is asked for.
"""

import importlib
import logging
import threading

from nocontent_reporter import litellm_records, settings
from nocontent_reporter.reporter import Options, Reporter
from nocontent_reporter.settings import Settings
from nocontent_reporter.stats import NAMES_MAX

_log = logging.getLogger("nocontent_reporter")


class Recorder:
    """Reports what LiteLLM tells its loggers; nothing is raised into the proxy."""

    def __init__(self, wanted: Settings) -> None:
        super().__init__()
        self._wanted = wanted
        self._known: set[str] = set()
        self._lock = threading.Lock()
        self.unread = 0  # Calls of which no event could be made.
        self.reporter = Reporter(wanted.url, wanted.token, wanted.spool, Options(on_refused=self._refused))

    async def async_log_success_event(self, kwargs: object, response_obj: object, *_: object, **__: object) -> None:
        self._record(kwargs, response_obj)

    def log_success_event(self, kwargs: object, response_obj: object, *_: object, **__: object) -> None:
        self._record(kwargs, response_obj)

    async_log_failure_event = async_log_success_event
    log_failure_event = log_success_event

    def _record(self, kwargs: object, answer: object) -> None:
        try:
            payload = litellm_records.member(kwargs, "standard_logging_object")
            self.reporter.report(litellm_records.event(payload, answer, self._wanted))
        except Exception:  # noqa: BLE001 - the proxy answers, whatever becomes of its telemetry; no text is logged.
            with self._lock:
                self.unread += 1
            self._warn("a call could not be read, so it is not reported; the callback's `unread` counts them")

    def _refused(self, rule: str, _events: int) -> None:
        self._warn(f"events that break {rule} are not stored; the reporter's stats() count them")

    def _warn(self, what: str) -> None:
        """Log a line the first time."""
        with self._lock:
            is_new = what not in self._known and len(self._known) < NAMES_MAX  # Rules may come from a server.
            if is_new:
                self._known.add(what)
        if is_new:
            _log.warning("%s", what)


def make(wanted: Settings) -> Recorder:
    """Return a callback; raises ImportError without LiteLLM, and ValueError for a URL or token that cannot be one."""
    try:
        base: type[object] = importlib.import_module("litellm.integrations.custom_logger").CustomLogger
    except ImportError:
        raise ImportError("nocontent_reporter.litellm.callback needs LiteLLM: pip install litellm") from None
    made = type("NocontentCallback", (Recorder, base), {})(wanted)
    assert isinstance(made, Recorder)
    return made


def __getattr__(name: str) -> Recorder:
    if name != "callback":
        raise AttributeError(name)
    made = make(settings.from_environment())
    globals()["callback"] = made
    return made
