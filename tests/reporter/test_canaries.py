"""What a host hands over by mistake is nowhere afterwards: spool, wire, logs, counts, the command's output, memory.

A proxy in a process of its own puts a word into every place of an event and around it, each in a sentence, and lets go
of all of them. Three words are meant to be found, which shows that each search works: one passes as a term, so it waits
in the spool and is sent; one is in the shape of a problem's name, which is counted and logged; one is in the spool's
path. A token is in memory and in the header that it is for, and nowhere else; a URL that the host has configured is in
the cache of Python's urlsplit.

Of the process's memory, what is searched is all that the reporters, their threads and the package's modules can reach,
with SQLite's databases in memory. Nothing is claimed of the memory that the host and the package have freed: Python and
the C libraries do not clear it, and the host had the content there first.
"""

import json
import re
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest

from ingest.prove.canaries import Canaries
from nocontent_reporter import Reporter, cli, codings, columns
from nocontent_reporter.ids import Ids
from tests.reporter import canary_places as places
from tests.reporter.canary_proxy import held
from tests.reporter.processes import SOURCE
from tests.reporter.reported import QUICK, event, reporting
from tests.reporter.scripted import Answering, Reply, Scripted, Sent, html, problem
from tests.reporter.spools import storage_of
from tests.support import cluster
from tests.support.customers import Customer
from tests.support.service import ROOT, Server, wait_until

_canaries = Canaries(b"of the reporter's tests")
_TERM, _PROBLEM, _PATH, _TOKEN = "a term", "a problem's name", "the spool's path", "a token"
_URLS = ("a bad URL", places.PASSWORD)
_ECHOES = ("a page", "a redirect", "a problem", "a receipt", "a tag", "a header", "a violation")
_WORDS = {name: _canaries.make() for name in (*places.PLACES, *_ECHOES, _TERM, _PROBLEM, _PATH, _TOKEN)}
_NAMES = {word: name for name, word in _WORDS.items()}


class Left(NamedTuple):
    """What a proxy left."""

    folder: Path  # Of the spool.
    memory: bytes
    printed: bytes
    logged: bytes

    @property
    def spool(self) -> Path:
        return self.folder / f"spool-{_WORDS[_PATH]}"


def found_in(data: bytes) -> set[str]:
    """Return the names of the words that are in some bytes, in any encoding."""
    found: set[str] = set()
    while words := {find.canary for find in _canaries.find(data)} - found:  # The first in each encoding.
        found |= words
        for word in filter(None, words):
            data = data.replace(word.encode(), b"")
    return {_NAMES.get(word, "a part of a word") for word in found}


def ran(url: str, token: str, folder: Path) -> Left:
    """Run a proxy to its end."""
    left = Left(folder / "spools", b"", b"", b"")
    orders = {
        "url": url, "token": token,
        "spool": str(left.spool), "memory": str(folder / "memory"), "term": _WORDS[_TERM],
        "words": {name: _WORDS[name] for name in places.PLACES},
    }  # fmt: skip
    process = subprocess.run(
        [sys.executable, "-m", "tests.reporter.canary_proxy"],
        env={"PYTHONPATH": f"{ROOT}:{SOURCE}", "PATH": "/usr/bin:/bin"},
        input=json.dumps(orders).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr.decode()
    return left._replace(memory=(folder / "memory").read_bytes(), printed=process.stdout, logged=process.stderr)


def found_in_spool(spool: Path) -> set[str]:
    """Search all files beside a spool, as they are and unpacked, and the rows."""
    found: set[str] = set()
    for file in spool.parent.iterdir():
        data = file.read_bytes()
        found |= found_in(b"\n".join([data, *_unpacked(data)]))
    with closing(sqlite3.connect(spool)) as db:
        for (body,) in db.execute("SELECT body FROM batches"):
            found |= found_in(codings.unpack(body))
    return found


def _unpacked(data: bytes) -> Iterator[bytes]:
    """Yield whatever can be decompressed, also of pages that are free."""
    for start in re.finditer(rb"\x1f\x8b\x08", data):
        with suppress(zlib.error):
            yield zlib.decompressobj(31).decompress(data[start.start() :])


def found_in_output(spool: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> set[str]:
    """Search what the command prints of a spool."""
    assert cli.main(["check", str(spool)]) == cli.WELL
    assert cli.main(["stats", str(spool), "--json"]) == cli.WELL
    return found_in(b"".join(capsysbinary.readouterr()))


def sent(script: Scripted) -> bytes:
    """Return all that a server received, but for the header with the token."""
    return b"\n".join(
        part
        for each in script.sent
        for part in (
            each.method.encode(), each.path.encode(), each.body,
            *(f"{name}: {value}".encode() for name, value in each.headers.items() if name != "Authorization"),
        )
    )  # fmt: skip


def _echoes() -> list[Reply | Answering]:
    """Return answers with text in every part, as a gateway may write them; one is a problem nobody knows."""
    text = {name: places.prose(_WORDS[name]) for name in _ECHOES}
    page = html(502)._replace(body=f"<p>{text['a page']}</p>".encode())
    told = problem(422, text["a problem"], (text["a violation"], text["a violation"]))
    receipt = {"accepted": text["a receipt"], "duplicates": text["a receipt"], "message": text["a receipt"]}
    return [
        page._replace(headers={"Retry-After": text["a header"], "Server": text["a header"]}),
        Reply(302, text["a redirect"].encode(), {"Location": f"/{text['a redirect']}", "X-Prompt": text["a header"]}),
        told,
        Reply(422, told.body, {"Content-Type": text["a header"]}),
        Reply(200, json.dumps(receipt).encode(), {"Content-Type": "application/json", "X-Prompt": text["a header"]}),
        problem(418, _WORDS[_PROBLEM]),
    ]


def _answering(script: Scripted) -> Answering:
    """Return what stores batches, but refuses the one word that passes as a term."""

    def answer(one: Sent) -> Reply:
        terms = json.loads(one.body).get("terms", [])
        if _WORDS[_TERM] not in terms:
            return script.store(one)
        pointer = f"/terms/{terms.index(_WORDS[_TERM])}"
        text = places.prose(_WORDS["a violation"])
        return problem(422, "rejected", ("vocabulary.unknown-model", pointer), (text, pointer), ("time.too-old", text))

    return answer


def _require_counted(left: Left) -> None:
    """Require that every place was refused, stored or unread, as it should be: the words were really handed over."""
    told = json.loads(left.printed.splitlines()[-1])
    spooled, unspooled, recorder = told["counts"]
    for counts in (spooled, unspooled):
        assert (counts["stored"], sum(counts["refused"].values())) == (len(places.STORED), len(places.REFUSED))
        assert counts["faults"].keys() & {"bug"} == set()
        assert counts["faults"]["callback"] > 0
    assert recorder["stored"] == len(places.RECORDS)
    assert sum(recorder["refused"].values()) == len(places.BAD_RECORDS)
    assert told["unread"] == len(places.UNREADABLE)


def test_content_is_nowhere_behind_a_server_that_echoes(
    script: Scripted, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    tag = {"ETag": f'"{places.prose(_WORDS["a tag"])}"'}
    script.script += [*_echoes() * 3, *[_answering(script)] * 50]
    script.policies += [Reply(200, b"{}", tag)] * 4
    left = ran(script.url, f"nct_{_WORDS[_TOKEN]}", tmp_path)
    assert found_in(left.printed) == {_PROBLEM}
    assert found_in(left.logged) == {_PROBLEM}
    assert found_in(sent(script)) == {_TERM}
    assert found_in(left.memory) == {_TERM, _PROBLEM, _PATH, _TOKEN, *_URLS}
    assert found_in_output(left.spool, capsysbinary) == {_PATH}
    assert found_in_spool(left.spool) == {_TERM}
    _require_counted(left)


def test_content_is_nowhere_behind_the_service(
    server: Server, tenants: Mapping[str, Customer], tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    logged_before, since = server.log.stat().st_size, Ids().next(time.time_ns() // 1_000_000 - 10_000)
    left = ran(f"http://{server.bind}", tenants["main"].token, tmp_path)
    assert found_in(left.printed + left.logged + server.log.read_bytes()[logged_before:]) == set()
    assert found_in(left.memory) == {_TERM, _PATH, *_URLS}
    assert found_in_output(left.spool, capsysbinary) == {_PATH}
    assert found_in_spool(left.spool) == {_TERM}
    query = "SELECT e::text FROM readable_events AS e WHERE tenant_id = $1 AND event_id > $2"
    rows = cluster.fetch(server.dsn, query, tenants["main"].tenant_id, UUID(since))
    assert len(rows) >= 2 * len(places.STORED) + len(places.RECORDS)
    assert found_in("\n".join(row["e"] for row in rows).encode()) == set()
    _require_counted(left)


def test_no_header_of_an_answer_that_is_not_the_servers_is_kept(
    script: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nocontent_reporter.answers.SLOW_S_MIN", 60.0)
    monkeypatch.setattr("nocontent_reporter.answers.SLOW_S_MAX", 60.0)
    text = places.prose(_WORDS["a redirect"])
    script.script += [Reply(302, text.encode(), {"Location": f"/{text}", "ETag": text})]
    with reporting(script.url, options=QUICK) as reporter:
        reporter.report(event())
        wait_until(lambda: reporter.stats().faults == {"answer-302": 1})
        assert found_in(b"\n".join(held([reporter]))) == set()


def test_a_term_that_the_server_refuses_for_good_is_forgotten(script: Scripted, tmp_path: Path) -> None:
    script.script += [problem(422, "rejected", ("secret.high-entropy", "/terms/3"))]
    with reporting(script.url, tmp_path / "spool") as reporter:
        reporter.report(event(routed_model=_WORDS[_TERM]))
        assert found_in(b"\n".join(held([reporter]))) == {_TERM}
        assert reporter.flush(10)
        assert reporter.stats().refused == {"secret.high-entropy": 1}
        assert found_in(b"\n".join(held([reporter]))) == set()


def _buffer(reporter: Reporter, text: str) -> None:
    reporter._buffer.put(places.event(input_tokens=places.number(text)))  # noqa: SLF001 - a plant.


def _remember(reporter: Reporter, text: str) -> None:
    reporter._checker.terms["model"].passed.add(text)  # noqa: SLF001 - a plant.


def _count(reporter: Reporter, text: str) -> None:
    reporter._counts.refused[text] += 1  # noqa: SLF001 - a plant.


def _prefix(reporter: Reporter, text: str) -> None:
    reporter._connection._prefix = text  # noqa: SLF001 - a plant.


def _spool(reporter: Reporter, text: str) -> None:
    storage = reporter._started().storage  # noqa: SLF001 - a plant.
    with storage.memory.database.transaction() as db:
        db.execute("UPDATE state SET policy_tag = ?", (text,))


@pytest.mark.parametrize("plant", [_buffer, _remember, _count, _prefix, _spool])
def test_a_word_that_a_reporter_holds_is_found(plant: Callable[[Reporter, str], None], script: Scripted) -> None:
    with reporting(script.url) as reporter:
        plant(reporter, places.prose(_WORDS[_TERM]))
        assert found_in(b"\n".join(held([reporter]))) == {_TERM}


def test_a_word_that_a_thread_holds_is_found() -> None:
    ready, ending = threading.Event(), threading.Event()

    def hold() -> None:
        text = places.prose(_WORDS[_TERM])
        ready.set()
        ending.wait()
        assert text

    thread = threading.Thread(target=hold, name="nocontent-test")
    thread.start()
    ready.wait()
    found = found_in(b"\n".join(held([])))
    ending.set()
    thread.join()
    assert found == {_TERM}


def test_a_word_in_any_file_of_a_spool_is_found(script: Scripted, tmp_path: Path) -> None:
    """Also in one that is set aside, with what it held."""
    path = tmp_path / "spool"
    storage = storage_of(path, Counter())
    body = codings.pack(columns.encode([event(routed_model=_WORDS[_TERM])]))
    storage.append([(1, body)], {})
    storage.close()
    path.write_bytes(b"damaged".ljust(100) + path.read_bytes()[100:])
    with reporting(script.url, path) as reporter:
        reporter.report(event())
        assert reporter.flush(10)
    assert Path(f"{path}-damaged").exists()
    assert found_in_spool(path) == {_TERM}
    Path(f"{path}-damaged").unlink()
    assert found_in_spool(path) == set()
    for ending, word in (("-lock", _PATH), ("-other", _TOKEN)):
        Path(f"{path}{ending}").write_bytes(b"\0" * 100 + places.prose(_WORDS[word]).encode())
    assert found_in_spool(path) == {_PATH, _TOKEN}
