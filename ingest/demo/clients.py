"""Runs other people's ways to report, each as a program in a process of its own: `ingest/demo/programs`.

They are what a proxy's or an application's author would write. The service imports neither them nor their libraries.
"""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import msgspec

from ingest import config
from ingest.errors import CannotStart
from ingest.serving import process
from ingest.serving.settings import ServingSettings

TIMEOUT_S = 60.0
REPORTER = "nocontent-reporter"
_PROGRAMS = Path(__file__).parent / "programs"
_SOURCE = Path(__file__).parents[2] / "reporter/src"  # Of the reporter, in a checkout; an image has none.


class Client(NamedTuple):
    """A program and the distribution that it needs, if any."""

    what: str
    program: str
    needs: str = ""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of what a program sent and of the answers that it received."""

    sent: int
    stored: int
    refused: int
    rules: list[str]
    bytes: float  # Of an event, before compression.


CLIENTS = (
    Client("nocontent-reporter (columns)", "proxy.py", REPORTER),
    Client("OpenTelemetry SDK (OTLP)", "traced_app.py", "opentelemetry-exporter-otlp-proto-http"),
    Client("LiteLLM (generic_api)", "litellm_proxy.py"),
)


def is_installed(client: Client) -> bool:
    """Return whether a program can import what it needs: a checkout has the reporter."""
    if not client.needs or (client.needs == REPORTER and _SOURCE.is_dir()):
        return True
    try:
        metadata.version(client.needs)
    except metadata.PackageNotFoundError:
        return False
    return True


def run(client: Client, settings: ServingSettings, token_file: Path) -> Sent:
    """Run a program to its end; raise CannotStart if it fails, after its traceback on standard error."""
    url = f"http://{settings.bind}"
    try:
        ended = subprocess.run(  # noqa: S603 - our own program.
            [sys.executable, "-P", str(_PROGRAMS / client.program), url, str(token_file)],
            env=_environment(settings) | otlp_variables(url, token_file),
            stdout=subprocess.PIPE,
            timeout=TIMEOUT_S,
            check=True,
            preexec_fn=process.end_with_parent,
        )
    except subprocess.SubprocessError:
        raise CannotStart(f"{client.program} of the demo failed, or did not end.") from None
    return msgspec.json.decode(ended.stdout, type=Sent)


def _environment(settings: ServingSettings) -> dict[str, str]:
    """Return our environment without what would turn a library's requests elsewhere."""
    own = {
        name: value
        for name, value in config.environment(settings).items()
        if not name.startswith((config.PREFIX, "OTEL_", "PYTHON")) and not name.lower().endswith("_proxy")
    }
    return own | {"PYTHONPATH": str(_SOURCE), "PYTHONSAFEPATH": "1", "NETRC": os.devnull}


def otlp_variables(url: str, token_file: Path) -> dict[str, str]:
    """Return the variables that README.md shows for clients that speak OpenTelemetry."""
    token = token_file.read_text("ascii").strip()
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{token}"}
