"""`invoice pay`, `export` and `send`."""

import asyncio
import csv
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.usage.processor import manual
from tests.support import bills, cluster, stripe_server
from tests.support.command import Run
from tests.support.stripe_server import KEY, Server

_PAID = "SELECT amount_cents, reference, paid_on::text, processor FROM nocontent.payments"
_STATES = "SELECT state FROM nocontent.invoices ORDER BY number"


@pytest.fixture
def stripe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Yield an account that commands hand invoices over to."""
    with stripe_server.serving() as server:
        wanted = bills.settings(server, tmp_path)
        monkeypatch.setenv("NOCONTENT_PAYMENT_PROCESSOR", "stripe")
        monkeypatch.setenv("NOCONTENT_STRIPE_KEY_PATH", wanted.stripe_key_path)
        monkeypatch.setenv("NOCONTENT_STRIPE_API_BASE", server.base)
        monkeypatch.setenv("NOCONTENT_STRIPE_COLLECTION", "charge_automatically")
        yield server


def _states(dsn: str) -> list[int]:
    return [row["state"] for row in cluster.fetch(dsn, _STATES)]


def test_an_invoice_is_marked_as_paid_once(run: Run, database: str) -> None:
    asyncio.run(bills.issue(database, [1250, 7]))
    line = "invoice pay NC-000001 --date 2026-11-20 --reference TRF-2026/0117"
    assert run(line) == (0, "NC-000001 is paid: 12.57 EUR\n", "")
    assert run(line) == (0, "NC-000001 is paid already\n", "")
    assert [tuple(row) for row in cluster.fetch(database, _PAID)] == [(1257, "TRF-2026/0117", "2026-11-20", 1)]
    assert _states(database) == [2]


@pytest.mark.parametrize(
    "reference",
    [
        "DE89370400440532013000", "4242424242424242", "4242-4242-4242-4242", "GB29-NWBK-6016-1331-9268-19", "a" * 33,
        "-a", "sk_test_4242424242", "a b", "a\u00e9", "AKIAIOSFODNN7EXAMPLE", "123456789",
    ],
)  # fmt: skip
def test_a_reference_that_is_no_id_is_refused_and_not_repeated(
    run: Run, database: str, reference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from ingest.__main__ import main  # noqa: PLC0415 (a line would be split at spaces)

    asyncio.run(bills.issue(database, [5]))
    assert main(["invoice", "pay", "NC-000001", "--date", "2026-11-20", f"--reference={reference}"]) != 0
    printed = capsys.readouterr()
    assert reference not in printed.out + printed.err
    assert cluster.fetch(database, _PAID) == []
    assert run("invoice pay NC-000001 --date 2999-01-01 --reference a")[0] != 0
    assert run("invoice pay NC-000002 --date 2026-01-01 --reference a")[0] != 0


def test_what_one_processor_has_the_other_does_not_get(run: Run, database: str, stripe: Server) -> None:
    for cents in (100, 200):
        asyncio.run(bills.issue(database, [cents]))
    assert run("invoice pay NC-000001 --date 2026-11-20 --reference a")[0] == 0
    assert run("invoice send --all") == (0, "1 handed over, 0 refused\n", "")
    assert [cents for _, cents in stripe.account.charges] == [200]
    status, _, error = run("invoice pay NC-000002 --date 2026-11-20 --reference a")
    assert (status, _states(database)) == (0, [2, 2])  # Stripe said that it is paid.
    assert error == ""
    stripe.account.pays_at_once = False
    asyncio.run(bills.issue(database, [300]))
    assert run("invoice send NC-000003") == (0, "NC-000003: handed over to stripe, open there\n", "")
    status, _, error = run("invoice pay NC-000003 --date 2026-11-20 --reference a")
    assert status != 0
    assert "mark it as paid there" in error
    assert run("invoice send NC-000003") == (0, "NC-000003 needs no hand-over now\n", "")


def test_a_refused_invoice_is_sent_again_by_name(run: Run, database: str, stripe: Server) -> None:
    asyncio.run(bills.issue(database, [100]))
    assert run("invoice send --all")[0] == 0
    asyncio.run(bills.issue(database, [200]))
    stripe.account.customers.clear()  # Deleted at Stripe.
    assert run("invoice send --all")[:2] == (1, "0 handed over, 1 refused\n")
    assert run("invoice send --all")[:2] == (0, "0 handed over, 0 refused\n")
    assert run("invoice send NC-000002")[:2] == (0, "NC-000002: handed over to stripe, paid there\n")


def test_open_invoices_are_exported(run: Run, database: str) -> None:
    for cents in (100, 20050, 5):
        asyncio.run(bills.issue(database, [cents]))
    run("invoice pay NC-000001 --date 2026-11-20 --reference a")
    status, out, _ = run("invoice export --csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0
    assert [(row["number"], row["tenant"], row["currency"], row["open"]) for row in rows] == [
        ("NC-000002", "acme", "EUR", "200.50"),
        ("NC-000003", "acme", "EUR", "0.05"),
    ]


@given(st.text(max_size=20))
def test_no_cell_is_a_formula(cell: str) -> None:
    guarded = manual.guarded(cell)
    assert not guarded.startswith(("=", "+", "@", "\t", "\r"))
    assert (
        not guarded.startswith("-") or re.fullmatch(r"-[0-9]+(\.[0-9]*)?|-\.[0-9]+", guarded) or guarded[1:].isdecimal()
    )


@pytest.mark.parametrize(
    "case",
    [
        (KEY, 0o604, "other users"), (f"{KEY}\n{KEY}", 0o600, "1 to 1"), ("pk_live_" + "a" * 20, 0o600, "form"),
        ("", 0o600, "form"), (None, 0, "read"),
    ],
)  # fmt: skip
def test_a_key_that_others_could_read_or_that_is_none_stops_the_start(
    run: Run, stripe: Server, tmp_path: Path, case: tuple[str | None, int, str]
) -> None:
    content, mode, says = case
    path = tmp_path / "stripe-key"
    path.unlink()
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    status, out, error = run("invoice send --all")
    assert status != 0
    assert says in error
    for secret in (str(path), KEY):
        assert secret not in out + error
    assert stripe.requests == []


def test_no_secret_is_printed_whatever_fails(database: str, stripe: Server, tmp_path: Path) -> None:
    """With STRIPE_LOG the SDK itself would print parameters and errors."""
    asyncio.run(bills.issue(database, [100]))
    wanted = bills.settings(stripe, tmp_path)
    environment = {
        "NOCONTENT_DSN": database, "NOCONTENT_PAYMENT_PROCESSOR": "stripe", "HOME": str(tmp_path),
        "NOCONTENT_STRIPE_KEY_PATH": wanted.stripe_key_path, "NOCONTENT_STRIPE_API_BASE": stripe.base,
        "STRIPE_LOG": "debug", "PYTHONPATH": ".",
    }  # fmt: skip
    printed = b""
    for fault in ("429", "garbled", "cut", "401", ""):
        stripe.fault = lambda number, _method, fault=fault: fault if number % 3 == 0 else ""  # type: ignore[misc]  # A closure.
        done = subprocess.run(
            [sys.executable, "-m", "ingest", "invoice", "send", "--all"],
            env=environment,
            capture_output=True,
            check=False,
        )
        printed += done.stdout + done.stderr
    assert b"handed over" in printed
    assert b"nocontent_invoice" not in printed
    assert KEY.encode() not in printed
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [Path(wanted.stripe_key_path)]
    assert any("nocontent_invoice" in body for body in stripe.bodies)
