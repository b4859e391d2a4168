"""Errors have pages: the same for whoever asks, with what to do, and nothing of the request."""

import contextlib
import re
import socket
import threading
from collections import Counter

import pytest

from ingest.console.faces import FACES
from ingest.serving import problems
from tests.support import cluster, console, service
from tests.support.cluster import Cluster
from tests.support.console import Console, text
from tests.support.service import ROOT
from tests.support.wire import Sender, parsed, raw

CANARY = "canary-what-somebody-wrote"


@pytest.fixture(scope="module")
def cut_off(running: Console) -> str:
    """Return the name of the console's database."""
    return running.dsn.partition("?")[0].rpartition("/")[2]


def _cut(postgres: Cluster, database: str) -> None:
    cluster.run(postgres.dsn, f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
    cluster.fetch(postgres.dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database)


def test_while_the_database_is_away_a_page_says_so_and_people_stay_signed_in(
    postgres: Cluster, running: Console, cut_off: str
) -> None:
    with running.visitor("owner") as owner, contextlib.closing(running.stranger()) as stranger:
        kept, token = owner.cookie, owner.token()
        _cut(postgres, cut_off)
        try:
            away = [
                owner.get("/account"),
                owner.submit("/account", {"token": token, "name": "New", "time_zone": "UTC"}),
            ]
            credentials = {"organisation": "acme", "email": "owner@example.com", "password": console.PASSWORD}
            away.append(stranger.submit("/sign-in", credentials))
            for answer in away:
                assert answer.status == 503
                assert "The database is away" in text(answer)
                assert "You stay signed in" in text(answer)
                assert answer.headers["retry-after"] == "5"
                assert "set-cookie" not in answer.headers
            assert owner.get("/sign-in").status == 200
            service.wait_until(lambda: owner.get("/readyz").status == 503)
            assert owner.get("/readyz").problem == "not-ready"
            assert owner.get("/livez").status == 200
        finally:
            cluster.run(postgres.dsn, f"ALTER DATABASE {cut_off} ALLOW_CONNECTIONS true")
        assert owner.cookie == kept
        assert owner.get("/account").status == 200
        assert "The owner" in text(owner.get("/account"))
        service.wait_until(lambda: owner.get("/readyz").status == 200)


def test_a_connection_that_was_cut_meanwhile_is_replaced(postgres: Cluster, running: Console, cut_off: str) -> None:
    with running.visitor("owner") as owner:
        assert owner.get("/account").status == 200
        _cut(postgres, cut_off)
        cluster.run(postgres.dsn, f"ALTER DATABASE {cut_off} ALLOW_CONNECTIONS true")
        service.wait_until(lambda: owner.get("/account").status == 200)


def test_a_missing_page_is_the_same_for_everybody_and_repeats_nothing(running: Console) -> None:
    request_id = re.compile(rb"[0-9a-f]{8}-[0-9a-f-]{27}")
    stranger = running.stranger()
    with running.visitor("auditor") as auditor:
        bodies = {
            request_id.sub(b"", visitor.get(path).body)
            for visitor in (auditor, stranger)
            for path in (f"/{CANARY}", f"/account/{CANARY}", f"/static/{CANARY}/x")
        }
    assert len(bodies) == 1
    assert CANARY.encode() not in bodies.pop()
    stranger.close()


def test_the_log_has_nothing_of_a_request(running: Console) -> None:
    visitor = running.stranger()
    form = {"organisation": CANARY, "email": f"{CANARY}@example.com", "password": CANARY}
    headers = {"User-Agent": CANARY, "Referer": f"http://{CANARY}/", "X-Forwarded-For": CANARY}
    visitor.submit(f"/sign-in?{CANARY}=1", form, headers)
    visitor.get(f"/{CANARY}", headers)
    visitor.submit("/sign-in", {CANARY: CANARY * 5_000})
    visitor.close()
    assert CANARY not in running.log.read_text("utf-8")
    assert "example.com" not in running.log.read_text("utf-8")


def test_a_request_that_cannot_be_read_has_a_page_too(running: Console) -> None:
    answer = parsed(raw(running.bind, b"GET / HTTP/1.1\r\n\r\n"))
    assert answer.status == 400
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    host, _, port = running.bind.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"GET /" + b"x" * 20_000)
        assert parsed(connection.recv(65_536)).status == 431


def test_every_face_has_a_title_and_its_problem_is_documented() -> None:
    documented = (ROOT / "docs/problems.md").read_text("utf-8")
    for face in FACES.values():
        assert re.fullmatch(r"[A-Z][A-Za-z ]+", face.title)
        assert f"| `{face.problem}` |" in documented


def test_every_error_that_any_process_answers_has_a_page() -> None:
    from_serving = set(problems.FACES) - {error for error in problems.FACES if error.__name__ in _NEVER}
    assert from_serving <= set(FACES)


# Of bodies in a coding, which no form has, and of queries, which pages have.
_NEVER = {"BadEncoding", "BodyTooLarge", "EncodingUnsupported", "QueryNotEmpty"}


def test_the_process_answers_a_hundred_mixed_requests_and_keeps_its_connections(running: Console) -> None:
    """A path that leaks a connection would find none left: a worker has six."""
    with running.visitor("owner") as owner:
        for turn in range(100):
            assert owner.get(("/account", "/never-was", "/sign-in")[turn % 3]).status in {200, 404}


def test_metrics_are_served_apart_and_name_nobody(running: Console) -> None:
    with running.visitor("owner") as owner:
        owner.get("/account")
    with contextlib.closing(Sender(running.metrics_bind)) as scraper:
        samples = scraper.get("/metrics").body.decode()
    assert 'ingest_console_responses_total{status="200"}' in samples
    assert 'ingest_console_sign_ins_total{outcome="signed-in"}' in samples
    assert "ingest_console_page_seconds_count" in samples
    assert "ingest_pulse_timestamp_seconds" in samples
    assert "acme" not in samples
    assert "example.com" not in samples
    with contextlib.closing(running.stranger()) as stranger:
        assert stranger.get("/metrics").status == 404


def test_a_crowd_of_one_tenant_holds_up_nobody_of_another(running: Console) -> None:
    """More requests at once than may wait are refused with a page, and those of others are answered."""
    statuses: Counter[int] = Counter()

    def look(cookie: str | None) -> None:
        with contextlib.closing(running.stranger()) as one:
            one.cookie = cookie
            statuses[one.get("/account").status] += 1

    with running.visitor("owner") as owner, running.visitor("owner", "globex") as other:
        crowd = [threading.Thread(target=look, args=(owner.cookie,)) for _ in range(150)]
        for each in crowd:
            each.start()
        assert {other.get("/account").status for _ in range(3)} == {200}
        for each in crowd:
            each.join()
        assert set(statuses) <= {200, 503}
        assert statuses[200] >= 64
        assert owner.get("/account").status == 200
