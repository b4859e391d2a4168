"""The contracts of import-linter notice an import that goes the wrong way: each is planted in a copy of the code."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = "Rooms import those below them"
GATEWAY = "The gateway reaches no database, not even indirectly"
STORE = "Only the store speaks to Postgres and packs columns"
SERVING = "Serving needs no database and no columns, not even indirectly"
CLIENTS = "The service imports no client's library: the demo runs clients as programs"
INTAKE = "Intake: doors, then validation, then the queue and its writers"
PROMISE = "The promise needs msgspec alone"
PRICES = "Prices are arithmetic: no database, no columns"
CRYPTOGRAPHY = "Only signatures need cryptography"
RECEIPTS = "Receipts are pure: checked offline, without a database"
CONSOLE = "The console accepts no events and imports nothing that does"
CONSOLE_LAYERS = "Console: the application, then pages, then what every page uses"
GENAI_PRICES = "Only the catalogue's command imports genai-prices"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copied = tmp_path_factory.mktemp("copy")
    for package in ("ingest", "schema"):
        shutil.copytree(ROOT / package, copied / package, ignore=shutil.ignore_patterns("__pycache__", "sql", "*.txt"))
    shutil.copy(ROOT / "pyproject.toml", copied)
    return copied


def broken(copy: Path) -> set[str]:
    """Return the names of the contracts that the copy breaks."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    run = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert "Contracts: " in run.stdout, run.stdout + run.stderr
    lines = run.stdout.partition("Contracts: ")[0].splitlines()
    return {name for name, state, _ in (line.partition(" BROKEN") for line in lines) if state}


def test_the_code_keeps_all_contracts(copy: Path) -> None:
    assert broken(copy) == set()


@pytest.mark.parametrize(
    ("module", "line", "contracts"),
    [
        ("ingest/gateway/__init__.py", "import ingest.serving.listener", set()),
        ("ingest/gateway/__init__.py", "import ingest.store.streams", {GATEWAY}),
        ("ingest/gateway/__init__.py", "import asyncpg", {STORE, GATEWAY}),
        ("ingest/gateway/__init__.py", "import numpy", {STORE, GATEWAY}),
        ("ingest/gateway/__init__.py", "import ingest.intake.app", {ROOMS, GATEWAY}),
        ("ingest/console/__init__.py", "import ingest.cli", {ROOMS}),
        ("ingest/console/visit.py", "import ingest.intake.policy", {CONSOLE}),
        ("ingest/console/visit.py", "import ingest.console.pages.home", {CONSOLE_LAYERS}),
        ("ingest/console/visit.py", "import asyncpg", {STORE}),
        ("ingest/usage/__init__.py", "import ingest.intake.app", {ROOMS}),
        ("ingest/intake/policy.py", "import ingest.reports.usage", {ROOMS, INTAKE}),
        ("ingest/reports/query.py", "import asyncpg", {STORE}),
        ("ingest/rights/receipts/folder.py", "import ingest.store.audit", {RECEIPTS}),
        ("ingest/reports/app.py", "from cryptography.hazmat import primitives", {CRYPTOGRAPHY}),
        ("ingest/unlisted/__init__.py", "", {ROOMS}),
        ("ingest/serving/tasks.py", "import ingest.store.streams", {ROOMS, SERVING, GATEWAY}),
        ("ingest/store/names.py", "import ingest.intake.policy", {ROOMS}),
        ("ingest/intake/policy.py", "import asyncpg", {STORE}),
        ("ingest/demo/clients.py", "import nocontent_reporter", {CLIENTS}),
        ("ingest/demo/clients.py", "import opentelemetry.sdk.trace", {CLIENTS}),
        ("ingest/pricing/rates.py", "import asyncpg", {STORE, PRICES, GATEWAY}),
        ("ingest/pricing/rates.py", "import ingest.store.streams", {ROOMS, PRICES, GATEWAY}),
        ("ingest/pricing/book.py", "import genai_prices", {GENAI_PRICES}),
        ("schema/ids.py", "import orjson", {PROMISE}),
        ("schema/ids.py", "import ingest.errors", {PROMISE, "The promise stands below the machine"}),
    ],
)
def test_a_planted_import_breaks_its_contracts(copy: Path, module: str, line: str, contracts: set[str]) -> None:
    planted = copy / module
    before = planted.read_text() if planted.exists() else None
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(f"{before or ''}{line}\n")
    try:
        assert broken(copy) == contracts
    finally:
        if before is None:
            shutil.rmtree(planted.parent)
        else:
            planted.write_text(before)
