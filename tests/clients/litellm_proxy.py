"""LiteLLM's proxy from the package index, with our configuration or without it, and calls through it."""

import contextlib
import json
import os
import secrets
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.service import ROOT, free_ports

PROGRAM = ROOT / ".venv-clients/bin/litellm"
STARTED_S = 120.0
FLUSHED_S = 2
KEY = "sk-" + secrets.token_hex(32)  # The proxy takes no weak one.
MODEL_GROUPS = ("claude-sonnet", "gpt-small")  # `model_name`: what callers send, and what an operator registers.
CALLS = 6
FAILED_CALLS = 2
_EXCLUDED = (
    "messages response model_parameters error_str error_information end_user requester_ip_address user_agent "
    "model_map_information guardrail_information response_cost_failure_debug_info"
).split()


class Callback(NamedTuple):
    """One of LiteLLM's loggers: a name for `generic_api`, or `openmeter`."""

    name: str
    token: str


@contextlib.contextmanager
def proxy(upstream: str, service: str, callbacks: Sequence[Callback], folder: Path, *, redacts: bool) -> Iterator[str]:
    """Run a proxy in front of an upstream that reports to a service; yield its base URL."""
    (port,) = free_ports(1)
    config = folder / "litellm.yaml"
    config.write_text(json.dumps(_config(upstream, service, callbacks, redacts=redacts)), "utf-8")  # YAML 1.2 has JSON.
    meters = [each.token for each in callbacks if each.name == "openmeter"]
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "DEFAULT_FLUSH_INTERVAL_SECONDS": str(FLUSHED_S), "OPENMETER_API_ENDPOINT": service,
        "OPENMETER_API_KEY": "".join(meters), "LITELLM_LOG": "ERROR", "LITELLM_MASTER_KEY": KEY,
    }  # fmt: skip
    command: list[str | Path] = [
        PROGRAM,
        "--config",
        config,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--telemetry",
        "False",
    ]
    with (folder / "litellm.log").open("wb") as log:
        running = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_started(url, running)
        yield url
        time.sleep(2 * FLUSHED_S)  # Two flushes: what was logged during the first goes with the second.
    finally:
        running.terminate()
        running.wait(30)


def _config(upstream: str, service: str, callbacks: Sequence[Callback], *, redacts: bool) -> dict[str, object]:
    deployments = {"claude-sonnet": "anthropic/claude-sonnet-4-5", "gpt-small": "openai/gpt-4o-mini"}
    settings: dict[str, object] = {"callbacks": [each.name for each in callbacks], "num_retries": 0}
    if redacts:
        settings |= {"turn_off_message_logging": True, "standard_logging_payload_excluded_fields": _EXCLUDED}
    return {
        "model_list": [
            {
                "model_name": name,
                "litellm_params": {
                    "model": model, "api_key": "CANARY-KEY", "max_retries": 0,
                    "api_base": upstream + ("/v1" if model.startswith("openai/") else ""),
                },
            }
            for name, model in deployments.items()
        ],
        "litellm_settings": settings,
        "callback_settings": {
            each.name: {
                "callback_type": "generic_api",
                "endpoint": f"{service}/v1/integrations/litellm",
                "headers": {"Authorization": f"Bearer {each.token}"},
                "log_format": "ndjson",
                "max_retries": 3,
            }
            for each in callbacks
            if each.name != "openmeter"
        },
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }  # fmt: skip


def call(url: str) -> None:
    """Make CALLS calls: plain, streamed, with tools, by Anthropic's API, and FAILED_CALLS that fail."""
    tool = {"type": "function", "function": {"name": "get_weather", "description": "CANARY-TOOL"}}
    for model, text, more in (
        ("claude-sonnet", "CANARY-PROMPT", {"user": "CANARY-USER", "stop": ["CANARY-STOP"]}),
        ("gpt-small", "CANARY-PROMPT", {"stream": True, "stream_options": {"include_usage": True}}),
        ("claude-sonnet", "CANARY-PROMPT", {"tools": [tool], "metadata": {"note": "CANARY-NOTE"}}),
        ("claude-sonnet", "CANARY-PROMPT FAIL400", {}),
        ("gpt-small", "CANARY-PROMPT FAIL429", {}),
    ):
        _post(f"{url}/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": text}], **more})
    messages = [{"role": "user", "content": "CANARY-PROMPT"}]
    _post(f"{url}/v1/messages", {"model": "claude-sonnet", "max_tokens": 100, "messages": messages})


_HEADERS = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}


def _post(url: str, sent: dict[str, object]) -> None:
    request = urllib.request.Request(url, json.dumps(sent).encode(), _HEADERS)
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


def _wait_started(url: str, running: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + STARTED_S
    while time.monotonic() < deadline and running.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health/liveliness", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError("the proxy did not start: see its log")
