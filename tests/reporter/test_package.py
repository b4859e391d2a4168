"""The distribution: a wheel without dependencies that works where nothing of this repository is."""

import ast
import configparser
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from nocontent_reporter import cli, contract, event
from schema.event import Event
from tests.reporter.processes import SOURCE
from tests.support.service import ROOT

PACKAGE = SOURCE / "nocontent_reporter"
OPTIONAL = {"zstandard"}
_SHOWS = """
import sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

sys.modules["zstandard"] = None  # As if it was not installed.
from nocontent_reporter import Event, Options, Reporter

class Service(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = b'{"accepted": 1, "duplicates": 0}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()
reporter = Reporter(f"http://127.0.0.1:{server.server_port}", "nct_x", spool=sys.argv[1])
reporter.report(Event(provider="anthropic", requested_model="claude-opus-4-5", routed_model="claude-haiku-4-5",
                      input_tokens=812, output_tokens=96, latency_ms=840))
assert reporter.flush(20)
print(reporter.stats().stored, sorted({"msgspec", "schema", "ingest", "zstandard"} & {
    name for name, module in sys.modules.items() if module is not None}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    built = [
        sys.executable,
        "-m",
        "uv",
        "build",
        "--quiet",
        "--offline",
        "--no-cache",
        "--wheel",
        "--out-dir",
        str(folder),
    ]
    subprocess.run([*built, str(ROOT / "reporter")], check=True, timeout=60)
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_installs_and_reports_without_anything_else(wheel: Path, tmp_path: Path) -> None:
    target, script = tmp_path / "site", tmp_path / "shows.py"
    install = ["pip", "install", "--quiet", "--offline", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run([sys.executable, "-m", "uv", *install], check=True, timeout=60, env={"HOME": str(tmp_path)})
    script.write_text(f"import sys; sys.path.insert(0, {str(target)!r})\n{_SHOWS}", "utf-8")
    command = [sys.executable, "-I", "-S", str(script), str(tmp_path / "spool")]
    shown = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    assert (shown.stdout, shown.stderr) == ("1 []\n", "")


def test_the_wheel_has_the_package_and_its_types_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("METADATA"))
    modules = {f"nocontent_reporter/{path.relative_to(PACKAGE)}" for path in PACKAGE.rglob("*.py")}
    assert {name for name in names if ".dist-info/" not in name} == modules | {"nocontent_reporter/py.typed"}
    required = re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE)
    assert all("extra ==" in each for each in required)
    assert "Requires-Python: >=3.10" in metadata


def test_the_wheel_installs_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        points = configparser.ConfigParser()
        points.read_string(archive.read(name).decode())
    assert dict(points["console_scripts"]) == {"nocontent-reporter": f"{cli.__name__}:{cli.main.__name__}"}


def test_it_imports_the_standard_library_and_itself() -> None:
    allowed = {*sys.stdlib_module_names, "nocontent_reporter", "compression"} | OPTIONAL
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                assert str(node.module).split(".")[0] in allowed
            elif isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed


def test_an_event_has_the_fields_of_the_contract() -> None:
    assert set(event.NAMES) == set(Event.__struct_fields__)
    strings = {"event_id", "task_category", "provider", "requested_model", "routed_model", "status", "stop_reason"}
    assert {*contract.INTEGERS, *contract.BOOLEANS, *strings, "tags"} == set(event.NAMES)
