"""Names and logins that an operator pastes are checked by the detectors and never echoed."""

import pytest

from ingest.__main__ import main
from ingest.errors import CannotStart
from ingest.store import connections, readers, tenants
from tests.support import logins

_PROSE = "Our Q3 layoffs list is attached"
_KEY = "sk-proj-Zq8vL2mXw4Rt7Yb1Nc5Kd9Hf3Gj6Ps0A"


_PASTED = (
    _KEY,
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    _PROSE,
    "please-summarize-our-q3-layoffs-list-for-the-board",
    "9f86d081884c7d659a2feaa0c55ad015",
    "c2VjcmV0LXBhc3N3b3JkLWhlcmU",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "a/b",
    "",
)


@pytest.mark.parametrize("pasted", _PASTED)
async def test_a_pasted_key_or_sentence_is_no_name(closed: str, pasted: str) -> None:
    async with connections.connected(closed, "nocontent_control") as connection:
        for add in (tenants.add(connection, pasted), readers.add(connection, 1, pasted)):
            with pytest.raises(CannotStart) as refused:
                await add
            assert not pasted or pasted not in str(refused.value)
        assert await connection.fetchval("SELECT count(*) FROM tenants WHERE name = $1", pasted) == 0


async def test_a_reader_is_a_login_that_exists(closed: str) -> None:
    async with connections.connected(closed, "nocontent_control") as connection:
        for nobody in ("nobody_here", "nocontent_reader"):  # The second cannot log in.
            with pytest.raises(CannotStart, match="no login"):
                await readers.add(connection, 1, nobody)
        login = await logins.made(closed, "nocontent_reader")
        await readers.add(connection, 1, login)
        assert [row["login"] for row in await readers.list_all(connection, 1)] == [login]


_LINES = (
    f"tenant add {_KEY}",
    f"tenant mode {_KEY} model learn",
    f"tenant mode acme {_KEY} learn",
    f"tenant mode acme model {_KEY}",
    f"tenant quota acme {_KEY}",
    f"tenant diagnostics acme {_KEY}",
    f"tenant {_KEY} acme",
    f"{_KEY}",
    f"token issue {_KEY}",
    f"token issue acme --scope {_KEY}",
    f"token issue acme --days {_KEY}",
    f"token issue acme {_KEY}",
    f"token rotate acme {_KEY}",
    f"token revoke {_KEY}",
    f"reader add acme {_KEY}",
    f"reader remove acme {_KEY}",
    f"reader list {_KEY}",
    f"tags declare acme {_KEY}",
    f"tags declare {_KEY} team",
    f"vocabulary add acme model {_KEY}",
    f"vocabulary add acme {_KEY} x",
    f"vocabulary add acme tag:{_KEY} x",
    f"vocabulary remove acme model {_KEY}",
    f"vocabulary import acme model {_KEY}",
    f"vocabulary list {_KEY}",
    f"serve --strict={_KEY}",
    f"serve {_KEY}",
    f"prove --cases {_KEY}",
    f"prove --family {_KEY}",
)


@pytest.mark.parametrize("line", _LINES)
def test_no_command_says_a_pasted_key_back(
    closed: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOCONTENT_DSN", closed)
    try:
        status = main(line.split())
    except SystemExit as ended:
        status = int(ended.code or 0)
    said = capsys.readouterr()
    assert status != 0
    assert said.err or said.out
    assert _KEY not in said.out + said.err
