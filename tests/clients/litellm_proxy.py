"""LiteLLM's proxy, with the configuration of docs/litellm.md or without it, and calls through it."""

import contextlib
import json
import os
import secrets
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.service import ROOT, free_ports

PROGRAM = ROOT / ".venv-clients/bin/litellm"
REPORTER = "nocontent_reporter.litellm.callback"
STARTED_S = 120.0
FLUSHED_S = 8  # LiteLLM drops what is logged while it sends, so most calls should be in one flush.
KEY = "sk-" + secrets.token_hex(32)  # The proxy takes no weak one.
MODEL_GROUPS: Mapping[str, str] = {"claude-sonnet": "anthropic/claude-sonnet-4-5", "gpt-small": "openai/gpt-4o-mini"}
_HEADERS = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
_TOOL = {"type": "function", "function": {"name": "get_weather", "description": "CANARY-TOOL"}}
# Each call: its model group, a word that makes it fail or none, and further members of its body.
_CALLS: Sequence[tuple[str, str, Mapping[str, object]]] = (
    ("claude-sonnet", "", {"user": "CANARY-USER", "stop": ["CANARY-STOP"]}),
    ("gpt-small", "", {"stream": True, "stream_options": {"include_usage": True}}),
    ("claude-sonnet", "", {"tools": [_TOOL], "metadata": {"note": "CANARY-NOTE"}}),
    ("claude-sonnet", "FAIL400", {}),
    ("gpt-small", "FAIL429", {}),
    ("claude-sonnet", "FAIL400", {"tools": [_TOOL]}),
)
SUCCEEDED, FAILED, FAILED_WITH_TOOLS = 4, 2, 1  # One more call is made by Anthropic's API.
_EXCLUDED = (
    "messages response model_parameters error_str error_information end_user requester_ip_address user_agent "
    "model_map_information guardrail_information response_cost_failure_debug_info"
).split()


class Callback(NamedTuple):
    """One of LiteLLM's loggers: `openmeter`, our reporter's, or a `generic_api` with settings of its own."""

    name: str
    token: str
    settings: Mapping[str, object] = {}


@contextlib.contextmanager
def proxy(upstream: str, service: str, callbacks: Sequence[Callback], folder: Path, *, redacts: bool) -> Iterator[str]:
    """Run a proxy in front of an upstream that reports to a service; yield its base URL."""
    (port,) = free_ports(1)
    config = folder / "litellm.yaml"
    config.write_text(json.dumps(_config(upstream, service, callbacks, redacts=redacts)), "utf-8")  # YAML has JSON.
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "DEFAULT_FLUSH_INTERVAL_SECONDS": str(FLUSHED_S), "OPENMETER_API_ENDPOINT": service,
        "OPENMETER_API_KEY": "".join(each.token for each in callbacks if each.name == "openmeter"),
        "LITELLM_LOG": "ERROR", "LITELLM_MASTER_KEY": KEY, **_of_reporter(service, callbacks, folder),
    }  # fmt: skip
    command: list[str | Path] = [PROGRAM, "--config", config, "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "litellm.log").open("wb") as log:
        running = subprocess.Popen(
            [*command, "--telemetry", "False"], env=environment, stdout=log, stderr=log, cwd=folder
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_started(url, running)
        yield url
    finally:
        running.terminate()
        running.wait(30)


def call(url: str) -> None:
    """Make the calls: some succeed, some fail."""
    for model, word, more in _CALLS:
        messages = [{"role": "user", "content": f"CANARY-PROMPT {word}"}]
        _post(f"{url}/v1/chat/completions", {"model": model, "messages": messages, **more})
    messages = [{"role": "user", "content": "CANARY-PROMPT"}]
    _post(f"{url}/v1/messages", {"model": "claude-sonnet", "max_tokens": 100, "messages": messages})


def _config(upstream: str, service: str, callbacks: Sequence[Callback], *, redacts: bool) -> dict[str, object]:
    settings: dict[str, object] = {"callbacks": [each.name for each in callbacks], "num_retries": 0}
    if redacts:
        settings |= {"turn_off_message_logging": True, "standard_logging_payload_excluded_fields": _EXCLUDED}
    usual = {"callback_type": "generic_api", "endpoint": f"{service}/v1/integrations/litellm", "max_retries": 3}
    return {
        "model_list": [
            {
                "model_name": name,
                "litellm_params": {
                    "model": model, "api_key": "CANARY-KEY", "max_retries": 0,
                    "api_base": upstream + ("/v1" if model.startswith("openai/") else ""),
                },
            }
            for name, model in MODEL_GROUPS.items()
        ],
        "litellm_settings": settings,
        "callback_settings": {
            each.name: {**usual, "headers": {"Authorization": f"Bearer {each.token}"}, **each.settings}
            for each in callbacks
            if each.name not in {"openmeter", REPORTER}
        },
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }  # fmt: skip


def _of_reporter(service: str, callbacks: Sequence[Callback], folder: Path) -> Mapping[str, str]:
    """Return the reporter's part of the environment."""
    tokens = [each.token for each in callbacks if each.name == REPORTER]
    return reporting(service, tokens[0], folder) if tokens else {}


def reporting(service: str, token: str, folder: Path) -> Mapping[str, str]:
    """Return the environment of a program that reports through nocontent-reporter."""
    return {
        "PYTHONPATH": str(ROOT / "reporter/src"),
        "NOCONTENT_REPORTER_URL": service,
        "NOCONTENT_REPORTER_TOKEN": token,
        "NOCONTENT_REPORTER_SPOOL": str(folder / "reporter.spool"),
    }


def _post(url: str, sent: Mapping[str, object]) -> None:
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
