"""`python -m bench.reporter`: the CPU time that reporting an event costs a proxy, as medians of rounds.

The proxy is a process of its own with a spool on this disk; a sink in this process answers each batch at once.
"""

import argparse
import gzip
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import msgspec
import zstandard
from msgspec import Struct

from bench import machine, results
from bench.results import ROOT, Reporting
from bench.summary import spread


class _Columns(Struct):
    event_id: list[str]


class _Batch(Struct):
    columns: _Columns


def main() -> int:
    """Run the proxy, write reporter.json and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.reporter", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11, help="of 20,000 events (default: 11)")
    args = parser.parse_args()
    with sink() as url, tempfile.TemporaryDirectory(dir=ROOT) as folder:
        rounds = _measured(url, Path(folder) / "spool", args.rounds)
    figures = {name: spread([each[name] for each in rounds]) for name in rounds[0]}
    written = Reporting(
        commit=machine.commit(), python=platform.python_version(), rounds=args.rounds, us_an_event=figures
    )
    results.write("reporter", written)
    print(f"{'µs an event':22}{'median':>8} {'min':>8}")
    for name, each in figures.items():
        print(f"{name:22}{each.median:>8.2f} {each.min:>8.2f}")
    return 0


def _measured(url: str, spool: Path, rounds: int) -> list[dict[str, float]]:
    command = [sys.executable, str(ROOT / "bench/reporting.py"), url, str(spool), str(rounds)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "reporter/src")}
    ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(ran.stdout, type=list[dict[str, float]])


@contextmanager
def sink() -> Iterator[str]:
    """Answer batches with receipts on a free port; yield the URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Sink) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            sent = gzip.decompress(sent)
        elif self.headers["Content-Encoding"] == "zstd":
            sent = zstandard.ZstdDecompressor().decompressobj().decompress(sent)
        events = len(msgspec.json.decode(sent, type=_Batch).columns.event_id)
        answer = msgspec.json.encode({"accepted": events, "duplicates": 0})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name in the library)
        """Log nothing."""


if __name__ == "__main__":
    sys.exit(main())
