"""The first lines that README.md shows, run as they are against the service."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.reporter.processes import run_python
from tests.support import cluster
from tests.support.customers import Customer
from tests.support.service import ROOT, Server


def _first_lines() -> str:
    found = re.search(
        r"^## Send an event$.*?```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return found[1]


def test_the_first_lines_of_the_readme_store_an_event(
    server: Server, tenants: Mapping[str, Customer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = tenants["other"]
    (tmp_path / ".nocontent").mkdir()
    (tmp_path / ".nocontent/token").write_text(f"{customer.token}\n", "ascii")
    monkeypatch.chdir(tmp_path)
    count = "SELECT count(*) FROM events WHERE tenant_id = $1"
    before = cluster.fetch(server.dsn, count, customer.tenant_id)[0][0]
    code = _first_lines().replace("127.0.0.1:8080", server.bind).replace("reporter.flush(5)", "say(reporter.flush(30))")
    assert run_python(code) == "True\n"
    assert cluster.fetch(server.dsn, count, customer.tenant_id)[0][0] == before + 1
