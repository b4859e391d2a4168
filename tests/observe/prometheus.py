"""A real Prometheus on a free port, with our alerting rules, and its HTTP API (prometheus.io/docs, "HTTP API")."""

import contextlib
import http.client
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec

from k8s.generate import alerts
from tests.support.service import WAIT_S, free_ports, wait_until

_TIMEOUT_S = 30.0


class Series(msgspec.Struct):
    """A series with its samples: one (`value`) at an instant, or several (`values`) over a span."""

    metric: dict[str, str]
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] = []


class _Data(msgspec.Struct):
    result: list[Series]


class _Answer(msgspec.Struct):
    status: str
    data: _Data | None = None
    error: str = ""


class Span(NamedTuple):
    """A span from and to Unix times."""

    start: float
    end: float


class Prometheus:
    """A running Prometheus."""

    def __init__(self, bind: str) -> None:
        self.bind = bind

    def at_once(self, expression: str) -> dict[str, float]:
        """Evaluate a query now, and return values by labels as `a="b",c="d"`, without those of the scrape."""
        return {_key(found.metric): float(found.value[1]) for found in self._ask("query", expression) if found.value}

    def over(self, expression: str, span: Span) -> list[Series]:
        """Evaluate a query at each second of a span."""
        return self._ask("query_range", expression, {"start": str(span.start), "end": str(span.end), "step": "1"})

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection(self.bind, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def _ask(self, path: str, expression: str, more: Mapping[str, str] | None = None) -> list[Series]:
        connection = http.client.HTTPConnection(self.bind, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", f"/api/v1/{path}?{urlencode({'query': expression, **(more or {})})}")
            answer = msgspec.json.decode(connection.getresponse().read(), type=_Answer)
        finally:
            connection.close()
        assert answer.data is not None, f"{expression}: {answer.error}"
        return answer.data.result


def _key(metric: Mapping[str, str]) -> str:
    return ",".join(
        f'{name}="{value}"' for name, value in sorted(metric.items()) if name not in {"__name__", "instance", "job"}
    )


@contextlib.contextmanager
def scraping(program: Path, target: str, folder: Path) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes a target each second, with its data and its log in a folder."""
    wanted = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(alerts.FILE)],
        "scrape_configs": [{"job_name": "nocontent", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_bytes(msgspec.json.encode(wanted))  # JSON is YAML.
    bind = f"127.0.0.1:{free_ports(1)[0]}"
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": bind,
        "log.level": "warn",
    }
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *(f"--{name}={value}" for name, value in options.items())], cwd=folder, stdout=log, stderr=log
        )
    running = Prometheus(bind)
    try:
        wait_until(lambda: process.poll() is not None or running.is_ready())
        assert process.poll() is None, (folder / "prometheus.log").read_text("utf-8", "replace")
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S)
