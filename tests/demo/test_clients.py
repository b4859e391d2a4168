"""The programs that the demo runs as other people's clients; what they report is tested where the demo is run."""

import re
from pathlib import Path

import pytest

from ingest.demo import clients
from ingest.demo.clients import CLIENTS
from ingest.demo.settings import DemoSettings
from ingest.errors import CannotStart
from tests.support.service import ROOT, free_ports

TOKEN = "a-token"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", "ascii")
    return file


def test_a_client_that_fails_stops_the_demo(token_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (litellm,) = (client for client in CLIENTS if not client.needs)
    nobody = DemoSettings(bind=f"127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(CannotStart, match=r"litellm_proxy\.py"):
        clients.run(litellm, nobody, token_file)
    assert "Connection refused" in capfd.readouterr().err


def test_the_readme_shows_the_variables_that_the_otlp_client_has(token_file: Path) -> None:
    shown = dict(re.findall(r"^    export (OTEL_\w+)=(.*)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE))
    given = clients.otlp_variables("http://127.0.0.1:8080", token_file)
    assert {
        name: value.replace('$(cat .nocontent/token)"', TOKEN).lstrip('"') for name, value in shown.items()
    } == given
