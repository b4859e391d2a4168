"""The kit passes a service that keeps the promise, and fails every one that breaks it."""

import argparse
import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ingest.cli import prove
from ingest.errors import CannotStart
from tests.prove.servers import Answer, answering
from tests.support.customers import Customer
from tests.support.service import Server

_PROBLEM = {"type": "urn:x", "title": "No", "status": 422, "violations": []}


def _problem(**changed: object) -> bytes:
    return json.dumps({**_PROBLEM, **changed}).encode()


def _run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    prove.add(parser.add_subparsers())
    args = parser.parse_args(["prove", *arguments])
    return int(args.run(args))


@contextlib.contextmanager
def _serving(answer: Answer) -> Iterator[str]:
    """Serve in a separate thread, because the command runs its own loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = answering(answer)
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _faults(answer: Answer, tmp_path: Path, *arguments: str) -> tuple[int, set[str]]:
    with _serving(answer) as url:
        status = _run("--url", url, "--token", "t", "--report-dir", str(tmp_path), "--seed", "1", *arguments)
    report = json.loads((tmp_path / "report.json").read_bytes())
    return status, {fault["fault"] for fault in report["faults"]}


_BODIES = ("--family", "wrapped-values", "keys", "--cases", "60")


def test_a_service_that_refuses_passes(tmp_path: Path) -> None:
    assert _faults(lambda _: (422, _problem()), tmp_path, *_BODIES) == (0, set())


_BROKEN: dict[str, tuple[Callable[[bytes], tuple[int, bytes]], str]] = {
    "stores everything": (lambda _: (200, b'{"accepted": 1, "duplicates": 0}'), "status 200"),
    "fails": (lambda _: (500, _problem(status=500)), "status 500"),
    "asks to wait for ever": (lambda _: (429, _problem(status=429)), "status 429"),
    "has rules of its own": (
        lambda _: (422, _problem(violations=[{"rule": "other.rule", "pointer": ""}])),
        "a rule that the policy does not have",
    ),
    "points with unknown names": (
        lambda _: (422, _problem(violations=[{"rule": "shape.escape", "pointer": "/events/0/salary"}])),
        "a pointer with a name that the contract does not have",
    ),
    "answers in prose": (lambda _: (422, b"no"), "a problem document that cannot be decoded"),
    "says another status": (lambda _: (422, _problem(status=400)), "a problem document with another status"),
}


@pytest.mark.parametrize("how", _BROKEN)
def test_a_service_fails_that(how: str, tmp_path: Path) -> None:
    answer, fault = _BROKEN[how]
    few = ("--family", "keys", "--cases", "5") if "wait" in how else _BODIES
    assert _faults(answer, tmp_path, *few) == (1, {fault})


def test_a_service_that_echoes_the_body_fails(tmp_path: Path) -> None:
    def echo(request: bytes) -> tuple[int, bytes]:
        return 422, _problem(title=request.decode("latin-1"))

    status, faults = _faults(echo, tmp_path, *_BODIES)
    assert status == 1
    assert len(faults) > 5
    assert all(fault.startswith("the answer holds the canary (") for fault in faults)


def test_a_service_that_refuses_good_batches_fails(tmp_path: Path) -> None:
    status, faults = _faults(lambda _: (422, _problem()), tmp_path, "--family", "accepted-values")
    assert (status, faults) == (1, {"status 422 for a good batch"})


def test_a_service_that_logs_what_it_gets_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "serve.log"
    log.touch()

    def keep(request: bytes) -> tuple[int, bytes]:
        with log.open("ab") as lines:
            lines.write(request[-2_000:])
        return 422, _problem()

    assert _faults(keep, tmp_path, *_BODIES, "--logs", str(log)) == (1, set())
    said = capsys.readouterr().out
    assert "verdict     FAIL" in said
    assert f"found     {log}: plain canary of " in said


def test_a_service_that_logs_headers_of_good_batches_fails(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    log.touch()

    def keep(request: bytes) -> tuple[int, bytes]:
        with log.open("ab") as lines:
            lines.write(request.partition(b"\r\n\r\n")[0])
        return 200, b'{"accepted": 1, "duplicates": 0}'

    headers = ("--family", "headers", "--cases", "60")
    assert _faults(keep, tmp_path, *headers) == (0, set())
    assert _faults(keep, tmp_path, *headers, "--logs", str(log)) == (1, set())


def test_what_cannot_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="Nothing responds at that URL"):
        _run("--url", "http://127.0.0.1:1", "--token", "t")
    with pytest.raises(CannotStart, match="not of the form"):
        _run("--url", "ftp://x", "--token", "t")
    with pytest.raises(CannotStart, match="Name a service"):
        _run("--url", "http://127.0.0.1:1")
    with pytest.raises(CannotStart, match="cannot be searched"):
        _run("--url", "http://127.0.0.1:1", "--token", "t", "--logs", str(tmp_path / "none"))


@pytest.mark.timeout(300)  # Sends 500 cases, and searches all tables and the data files.
def test_the_real_service_passes(server: Server, tenants: dict[str, Customer], tmp_path: Path) -> None:
    arguments = ["--cases", "500", "--seed", "1", "--report-dir", str(tmp_path), "--dsn", server.dsn]
    arguments += ["--logs", str(server.log), "--metrics-url", f"http://{server.metrics_bind}/metrics"]
    arguments += ["--learner-token", tenants["learner"].token]
    assert _run("--url", f"http://{server.bind}", "--token", tenants["main"].token, *arguments) == 0
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert (report["verdict"], report["cases_sent"], report["faults"]) == ("pass", 500, [])
    assert [place["place"] for place in report["places"]] == [
        "metrics port", "metrics", "database", "audit", "large objects", "comments", "settings of roles", "sessions",
        "statements", "logs",
    ]  # fmt: skip
    assert not any(place["finds"] for place in report["places"] if place["is_gated"])
    empty = {place["place"] for place in report["places"] if not place["bytes"]}
    assert empty <= {"large objects", "statements", "settings of roles"}  # None is there, as it should be.
    suites = ET.parse(tmp_path / "report.junit.xml").getroot()
    assert len(suites.findall("./testsuite/testcase")) == 511
    page = (tmp_path / "report.html").read_text()
    assert report["policy_digest"] in page
    assert report["cases_sha256"] in page
    assert report["cases_sha256"] in (tmp_path / "report.md").read_text()


def test_a_tenant_that_takes_unknown_terms_proves_nothing(server: Server, tenants: dict[str, Customer]) -> None:
    with pytest.raises(CannotStart, match="does not refuse"):
        _run("--url", f"http://{server.bind}", "--token", tenants["coarsener"].token)


def test_a_tenant_that_does_not_learn_proves_nothing_of_learning(server: Server, tenants: dict[str, Customer]) -> None:
    arguments = ("--url", f"http://{server.bind}", "--token", tenants["main"].token)
    with pytest.raises(CannotStart, match="--learner-token of a tenant in mode learn to prove learning-keys"):
        _run(*arguments, "--family", "learning-keys", "keys")
    with pytest.raises(CannotStart, match="does not learn every kind"):
        _run(*arguments, "--learner-token", tenants["coarsener"].token)
