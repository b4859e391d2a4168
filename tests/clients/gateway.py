"""`python -m tests.clients.gateway`: run real clients through a gateway, in front of a provider that is made up.

Status 0: each client got what it gets from the provider itself, each call was reported once with what was decided, and
no canary is in an event or in the log. Claude Code is run if npm can install it.
"""

# ruff: noqa: T201 (talks to a person at a terminal)

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ingest.knowledge.gateway import TAG, GatewayTenant, Route
from tests.gateway.running import Running, running
from tests.support.service import ROOT, wait_until

PYTHON = ROOT / ".venv-clients/bin/python"
STRANGERS = ROOT / "tests/clients/strangers"
CLAUDE_CODE = ROOT / ".venv-clients/claude-code"
CANARY = "CANARY-PROMPT"
KEY = f"sk-ant-api03-{'canarykey' * 8}"
_BEGIN, _END = "<!-- made by `make gateway-clients` -->\n", "<!-- end of gateway-clients -->\n"
_CATEGORIES = ("chat", "question_answering", "reasoning")
# Routes for whatever the classifier says, so that every request that may be switched is.
TENANT = GatewayTenant(
    7, mode="on", confidence_min=0, categories=_CATEGORIES, models=("claude-haiku-4-5", "gpt-5-nano"), tags=(TAG,),
    routes=tuple(Route(each, "claude-haiku-4-5") for each in _CATEGORIES),
)  # fmt: skip
_OWN = ["x-nocontent-category", "x-nocontent-confidence", "x-nocontent-mode", "x-nocontent-model", "x-nocontent-reason"]
ANTHROPIC: Mapping[str, object] = {
    "message": ["end_turn", 377, 65, "text"],
    "stream": [10, "end_turn", 65],
    "raw_stream": "message_stop",
    "tools": ["tool_use", {"location": "Paris"}, "tool_use"],
    "stream_of_tools": {"location": "Paris"},
    "thinking": ["thinking", True, "end_turn"],
    "stream_of_thinking": ["thinking", "text"],
    "beta": "end_turn",
    "count_tokens": 377,
    "models": [1, "claude-haiku-4-5"],
    "headers": [True, _OWN],
    "failure": [400, "invalid_request_error"],
    "overload": [529, "overloaded_error"],
    "cut": "RemoteProtocolError",
    "asynchronous": [20, True, 10],
}
LITELLM: Mapping[str, object] = {
    "completion": ["stop", 65], "stream": True, "chat": ["stop", 65], "chat_stream": 65, "asynchronous": True
}  # fmt: skip


class Row(NamedTuple):
    """What one client tried, and what came of it."""

    client: str
    tried: str
    found: object
    expected: object

    @property
    def is_expected(self) -> bool:
        return self.found == self.expected


def main(argv: Sequence[str] | None = None) -> int:
    """Run the clients; return 1 if one got something else, or if a canary was found."""
    parser = argparse.ArgumentParser("python -m tests.clients.gateway", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the table to docs/clients.md")
    parser.add_argument("--confine", choices=("required", "off"), default="required", help="hold it by the kernel")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with running(folder, TENANT, gateway_confine=args.confine) as gateway:
            rows = [*_program(gateway, "Anthropic's SDK", "anthropic_gateway.py", ANTHROPIC)]
            rows += _program(gateway, "LiteLLM", "litellm_gateway.py", LITELLM)
            if (CLAUDE_CODE / "node_modules").exists():
                rows.append(_claude_code(gateway, folder))
            else:
                print("Claude Code is left out: npm has not installed it")
            rows.append(_reported(gateway))
        written = gateway.log.read_bytes() + json.dumps(gateway.service.events).encode()
    for row in rows:
        print(f"{row.client:18} {row.tried:20} {'ok' if row.is_expected else f'{row.found!r}: not {row.expected!r}'}")
    canaries = [each for each in (CANARY, KEY, "quickest") if each.encode() in written]
    print(f"{len(canaries)} canaries in the log and the events")
    if args.write:
        _write(rows)
    return 1 if canaries or not all(row.is_expected for row in rows) else 0


def _environment(gateway: Running, home: Path) -> dict[str, str]:
    token = f"X-Nocontent-Token: {gateway.token}"
    return {
        "PATH": os.environ["PATH"], "HOME": str(home), "ANTHROPIC_BASE_URL": gateway.url, "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_CUSTOM_HEADERS": token, "GATEWAY_URL": gateway.url, "GATEWAY_TOKEN": gateway.token,
        "OPENAI_API_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONWARNINGS": "ignore",
    }  # fmt: skip


def _program(gateway: Running, client: str, name: str, expected: Mapping[str, object]) -> Iterator[Row]:
    done = subprocess.run(
        [PYTHON, STRANGERS / name], env=_environment(gateway, gateway.log.parent), capture_output=True, check=False,
        timeout=180,
    )  # fmt: skip
    found = dict(json.loads(line) for line in done.stdout.splitlines())
    for tried, wanted in expected.items():
        yield Row(client, tried, found.get(tried, "nothing"), wanted)


def _claude_code(gateway: Running, folder: Path) -> Row:
    """Ask Claude Code one question, with the settings that its documentation has for gateways."""
    home = folder / "home"
    home.mkdir()
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1"}
    program: Path = next(CLAUDE_CODE.glob("node_modules/@anthropic-ai/claude-code-linux*/claude"))
    command = [str(program), "-p", CANARY, "--output-format", "json", "--model", "claude-opus-4-5"]
    done = subprocess.run(
        command, env=_environment(gateway, home) | quiet, cwd=home, capture_output=True, check=False, timeout=180
    )
    answer = json.loads(done.stdout or b"{}")
    return Row("Claude Code", "a question", [answer.get("subtype"), answer.get("stop_reason")], ["success", "end_turn"])


def _reported(gateway: Running) -> Row:
    """Compare what was reported with what the provider received, which is more than once if one was tried again."""
    asked = [each for each in gateway.upstream.provider.received if each.method == "POST"]
    messages = [each for each in asked if not each.target.partition("?")[0].endswith("/count_tokens")]
    wait_until(lambda: _tries(gateway) >= len(messages), lambda: f"{_tries(gateway)} of {len(messages)}")
    reasons = Counter(str(_tags(event).get(TAG)) for event in gateway.service.events)
    print("reported:", dict(reasons))
    return Row("all", "reported", [_tries(gateway), len(gateway.service.refused)], [len(messages), 0])


def _tries(gateway: Running) -> int:
    return sum(1 + bool(event["retried"]) + bool(event["fallback"]) for event in gateway.service.events)


def _tags(event: Mapping[str, object]) -> Mapping[str, object]:
    tags = event["tags"]
    assert isinstance(tags, dict)
    return tags


def _write(rows: Sequence[Row]) -> None:
    """Write the table into docs/clients.md, between its marks."""
    page = ROOT / "docs/clients.md"
    before, _, rest = page.read_text("utf-8").partition(_BEGIN)
    lines = [f"| {row.client} | {row.tried.replace('_', ' ')} | {_told(row)} |\n" for row in rows]
    made = "| client | tried | outcome |\n|---|---|---|\n" + "".join(lines)
    page.write_text(before + _BEGIN + made + _END + rest.partition(_END)[2], "utf-8")


def _told(row: Row) -> str:
    return (
        ("once" if row.client == "all" else "as without a gateway")
        if row.is_expected
        else f"`{row.found}` instead of `{row.expected}`"
    )


if __name__ == "__main__":
    if shutil.which(str(PYTHON)) is None:
        sys.exit("make gateway-clients installs the clients first")
    sys.exit(main())
