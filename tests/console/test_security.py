"""What protects every page: headers, the one cookie, where a form comes from, and where a redirect goes."""

import re
import socket
from http.cookies import SimpleCookie

import pytest
from starlette.requests import Request

from ingest.accounts.sessions import COOKIE_NAME
from ingest.accounts.settings import is_loopback, origin
from ingest.console import addresses, security
from ingest.console.errors import CrossOrigin
from ingest.console.pages import legal
from ingest.console.process import check
from ingest.console.routes import PAGES, PUBLIC
from ingest.errors import CannotStart
from tests.support import cluster, service
from tests.support.console import PASSWORD, Console, Visitor
from tests.support.wire import Answer, parsed, raw

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
OWN = "https://console.example.com"


def every_answer(running: Console) -> list[Answer]:
    """Return answers of every kind: pages, redirects, errors, files, and those to requests that cannot be read."""
    with running.visitor("owner") as owner:
        paths = [page.path for page in PAGES if page.method == "GET"]
        # What is the same for everybody may be kept: tests/console/test_legal.py.
        paths += [page.path for page in PUBLIC if page.method == "GET" and page not in legal.PUBLIC]
        pages = [owner.get(path) for path in paths if "{" not in path]
        more = [
            owner.get("/never-was"),
            owner.get("/static/0000000000000000/console.css"),
            owner.get("/livez"),
            owner.submit("/account", {}),
            owner.request("DELETE", "/account", None, {"Sec-Fetch-Site": "same-origin"}),
            owner.request("POST", "/account", b"x" * 70_000, {"Sec-Fetch-Site": "same-origin"}),
        ]
    broken = [parsed(raw(running.bind, head)) for head in (b"\x00\r\n\r\n", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n")]
    return [*pages, *more, *broken]


def test_each_answer_has_the_policy_and_may_not_be_sniffed_framed_or_kept(running: Console) -> None:
    for answer in every_answer(running):
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_no_page_has_an_inline_script_or_style_or_names_another_origin(running: Console) -> None:
    for answer in every_answer(running):
        page = answer.body.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|hx-on|javascript:|\bjs:", page)
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", page)


def test_the_cookie_is_bound_to_this_host_and_no_script_reads_it(running: Console) -> None:
    visitor = running.stranger()
    form = {"organisation": "acme", "email": "owner@example.com", "password": PASSWORD}
    for answer in (visitor.submit("/sign-in", form), visitor.post("/sign-out")):
        header = answer.headers["set-cookie"]
        assert header.startswith(f"{COOKIE_NAME}=")
        attributes = {part.strip().lower() for part in header.split(";")[1:]}
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes
        assert not any(each.startswith("domain") for each in attributes)
    visitor.close()


@pytest.mark.parametrize(
    "forged",
    [
        "", "x", "v1.00000000." + "A" * 43 + "." + "A" * 43, "v1", "A" * 5_000, "v2.a.b.c", "\xff",
    ],
)  # fmt: skip
def test_a_forged_cookie_opens_nothing(running: Console, forged: str) -> None:
    visitor = running.stranger()
    visitor.cookie = forged
    answer = visitor.get("/account")
    assert (answer.status, answer.headers["location"]) == (303, "/sign-in?notice=session-ended")
    assert SimpleCookie(answer.headers["set-cookie"])[COOKIE_NAME]["max-age"] == "0"
    visitor.close()


def test_a_changed_cookie_opens_nothing(running: Console) -> None:
    with running.visitor("owner") as owner:
        assert owner.cookie is not None
        for at in (-1, 20, 60):
            good = owner.cookie
            owner.cookie = good[:at] + ("A" if good[at] != "A" else "B") + (good[at + 1 :] if at != -1 else "")
            assert owner.get("/account").status == 303
            owner.cookie = good
        assert owner.get("/account").status == 200


def test_the_token_of_another_session_is_refused(running: Console) -> None:
    with running.visitor("owner") as one, running.visitor("owner") as other:
        assert other.submit("/account", {"token": one.token()}).status == 403


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://attacker.example"}, True),  # A browser tells the first.
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": ""}, False),
        ({"sec-fetch-site": "cross-site", "origin": OWN}, False),
        ({"origin": OWN}, True),
        ({"origin": "https://console.example.com:8443"}, False),
        ({"origin": "http://console.example.com"}, False),
        ({"origin": "https://console.example.com.attacker.example"}, False),
        ({"origin": "http://127.0.0.1:8480"}, False),
        ({"origin": "null"}, False),
        ({"origin": "https://[::1"}, False),
        ({}, False),
    ],
)
def test_a_form_has_to_come_from_this_console(headers: dict[str, str], *, passes: bool) -> None:
    for method in ("POST", "PUT", "DELETE"):
        if passes:
            security.require_same_origin(method, headers, OWN)
        else:
            with pytest.raises(CrossOrigin):
                security.require_same_origin(method, headers, OWN)
    security.require_same_origin("GET", headers, OWN)


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        ("http://127.0.0.1:8480", True),
        ("http://localhost:8480", True),
        ("http://[::1]:8480", True),
        ("http://127.0.0.1:8481", False),
        ("https://127.0.0.1:8480", False),
        ("http://192.0.2.1:8480", False),
        ("http://localhost.attacker.example:8480", False),
    ],
)
def test_this_machine_has_several_names(given: str, *, passes: bool) -> None:
    if passes:
        security.require_same_origin("POST", {"origin": given}, "http://127.0.0.1:8480")
    else:
        with pytest.raises(CrossOrigin):
            security.require_same_origin("POST", {"origin": given}, "http://127.0.0.1:8480")


@pytest.mark.parametrize(
    "url",
    ["https://console.example.com", "https://console.example.com/", "http://127.0.0.1:8480", "http://localhost:1",
     "http://[::1]:8480", "http://127.9.9.9"],
)  # fmt: skip
def test_an_origin_over_tls_or_of_this_machine_is_accepted(url: str) -> None:
    assert origin(url) == url.removesuffix("/")


@pytest.mark.parametrize(
    "url",
    ["http://console.example.com", "http://192.0.2.1:8480", "http://0.0.0.0:8480", "http://localhost.example.com",
     "https://user@example.com", "https://example.com/path", "https://example.com?x", "ftp://example.com", "", "https://"],
)  # fmt: skip
def test_any_other_origin_stops_the_start(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOCONTENT_DSN", "postgresql://localhost/nothing")
    monkeypatch.setenv("NOCONTENT_CONSOLE_URL", url)
    with pytest.raises(CannotStart, match="NOCONTENT_CONSOLE_URL must be"):
        check()


def test_a_console_for_others_needs_a_file_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOCONTENT_DSN", "postgresql://localhost/nothing")
    check()
    monkeypatch.setenv("NOCONTENT_CONSOLE_URL", OWN)
    with pytest.raises(CannotStart, match="keygen"):
        check()


def test_a_name_that_begins_like_a_loopback_address_is_none() -> None:
    assert not is_loopback("127.0.0.1.example.com")
    assert not is_loopback("localhost.example.com")


@pytest.mark.parametrize("name", ["next", "return", "url", "redirect", "continue", "notice"])
def test_no_parameter_decides_where_a_redirect_goes(running: Console, name: str) -> None:
    visitor = running.stranger()
    evil = "https://attacker.example/"
    form = {"organisation": "acme", "email": "owner@example.com", "password": PASSWORD, name: evil}
    answer = visitor.submit(f"/sign-in?{name}={evil}", form)
    assert answer.headers["location"] == "/"
    home = visitor.get(f"/?{name}={evil}")
    assert home.headers["location"].startswith("/")
    assert "attacker" not in home.headers["location"]
    assert "attacker" not in visitor.get(f"/account?{name}={evil}").body.decode().replace(f"?{name}={evil}", "")
    visitor.close()


def test_a_path_of_two_slashes_is_not_redirected(running: Console) -> None:
    assert parsed(raw(running.bind, b"GET //attacker.example/ HTTP/1.1\r\nHost: a\r\n\r\n")).status == 404


def test_a_session_ends_on_every_worker_at_once(running: Console) -> None:
    with running.visitor("analyst") as one, running.visitor("analyst") as other:
        assert one.post("/account/sign-out-everywhere").status == 303
        assert other.get("/account").status == 303


def test_a_connection_keeps_nothing_of_the_one_before(running: Console) -> None:
    """Two visitors on one connection, as behind a proxy, each have what their cookie says."""
    host, _, port = running.bind.rpartition(":")
    with (
        running.visitor("owner") as owner,
        running.visitor("owner", "globex") as other,
        socket.create_connection((host, int(port)), timeout=5) as connection,
    ):
        said = [_over(connection, each) for each in (owner, other, owner)]
    assert [("acme" in page, "globex" in page) for page in said] == [(True, False), (False, True), (True, False)]


def _over(connection: socket.socket, visitor: Visitor) -> str:
    head = f"GET /account HTTP/1.1\r\nHost: a\r\nCookie: {COOKIE_NAME}={visitor.cookie}\r\n\r\n"
    connection.sendall(head.encode())
    received = b""
    while b"</html>" not in received:
        received += connection.recv(65_536)
    return received.decode()


@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        ([], 0, "192.0.2.1"),
        (["203.0.113.9"], 0, "192.0.2.1"),
        (["203.0.113.9"], 1, "203.0.113.9"),
        (["198.51.100.7, 203.0.113.9"], 1, "203.0.113.9"),
        (["198.51.100.7, 203.0.113.9"], 2, "198.51.100.7"),
        (["198.51.100.7", "203.0.113.9, 10.0.0.1"], 2, "203.0.113.9"),
        (["203.0.113.9"], 2, ""),
        ([], 1, ""),
    ],
)
def test_an_address_is_what_our_own_proxies_have_seen(forwarded: list[str], proxies: int, address: str) -> None:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    asking = Request({"type": "http", "headers": headers, "client": ("192.0.2.1", 4_711)})
    assert addresses.of(asking, proxies) == address


def test_a_cookie_that_comes_twice_is_none(running: Console) -> None:
    with running.visitor("owner") as owner:
        both = {"Cookie": f"{COOKIE_NAME}={owner.cookie}; other=1; {COOKIE_NAME}={owner.cookie}"}
        assert owner.get("/account", both).status == 303


def test_strict_the_console_does_not_start_with_an_overprivileged_login(running: Console) -> None:
    ended = service.command("console", "--strict", env=service.environment(running.dsn))
    assert ended.returncode == 2
    assert b"The login has privileges a server does not need: superuser" in ended.stderr


def test_the_console_does_not_start_where_tenants_are_not_kept_apart(database: str) -> None:
    """As on Citus, where migration 0030 makes no policies."""
    cluster.run(database, "ALTER TABLE audit DISABLE ROW LEVEL SECURITY")
    ended = service.command("console", env=service.environment(database))
    assert ended.returncode == 2
    assert b"Row security does not keep tenants apart" in ended.stderr
