"""Letters of every kind from a real database, as the role that sends them: what they say, and what none ever has."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from ingest.alerts.letters import gather, render, unsubscribe
from ingest.alerts.letters.render import Rendered
from ingest.alerts.letters.unsubscribe import Subscription
from ingest.alerts.mail import message
from ingest.alerts.mail.message import Content, Envelope
from ingest.knowledge.keys import Keys
from ingest.store import connections
from ingest.store.mail import letters, outbox
from ingest.store.mail.kinds import DECLINABLE, KINDS, Kind
from ingest.store.mail.outbox import Letter
from tests.support import cluster, metering
from tests.support.refusing import Told

CONSOLE = "https://console.example.com"
NANO = 1_000_000_000
BERLIN = ZoneInfo("Europe/Berlin")
KEYS = Keys.make()
_EPOCH = date(1970, 1, 1)
BUDGET = (80, 4_012_340_000_000, 5_000 * NANO, (date(2026, 11, 1) - _EPOCH).days)


def one(told: Told, query: str, tenant_id: int = 1) -> UUID:
    (row,) = cluster.fetch(told.dsn, query, tenant_id)
    return UUID(int=row[0].int)


def owner(told: Told, tenant_id: int = 1) -> UUID:
    return one(told, "SELECT person_id FROM people WHERE tenant_id = $1 AND role = 'owner'", tenant_id)


def week(first: date) -> tuple[int, ...]:
    starts = [datetime.combine(first + timedelta(days=days), time(), BERLIN) for days in (-7, 0, 7)]
    return (first - _EPOCH).days, *(int(at.timestamp()) for at in starts)


def budget(told: Told) -> UUID:
    """Add a budget of the tag team=search, and return its id."""
    return one(
        told,
        "INSERT INTO budgets (tenant_id, limit_nanousd, scope, term_id, period, thresholds, forecast, time_zone)"
        " SELECT $1, 5000000000000, 2, term_id, 3, '{80}', false, 'UTC' FROM vocabulary"
        " WHERE tenant_id = $1 AND kind = 5 AND term = 'search' RETURNING budget_id",
    )


def parts(told: Told, kind: Kind) -> tuple[tuple[UUID, ...], tuple[int, ...]]:
    """Return ids and numbers of a letter of a kind to acme."""
    today = datetime.now(UTC).date()  # Near midnight the refusals are of yesterday.
    found: dict[Kind, tuple[tuple[UUID, ...], tuple[int, ...]]] = {
        "new-place": ((uuid4(),), ()),
        "weekly-review": ((), week(today - timedelta(days=3))),
        "invoice": ((), (1,)),
        "export-ready": ((), (12_345,)),
        "webhook-disabled": ((uuid4(),), ()),
    }
    if kind == "budget-alert":
        return (budget(told),), BUDGET
    if kind == "erasure-receipt":
        return (one(told, "SELECT erasure_id FROM erasures WHERE tenant_id = $1"),), ()
    return found.get(kind, ((), ()))


async def put(told: Told, tenant_id: int, letter: Letter) -> letters.Stored:
    async with connections.connected(told.dsn, "nocontent_control") as control:
        assert await outbox.put(control, tenant_id, letter)
        (line,) = (await letters.page(control, tenant_id, None, 1)).lines
        found = await letters.find(control, tenant_id, line.letter_id)
    assert found is not None
    return found[1]


def composed(told: Told, kind: Kind, ids: tuple[UUID, ...], numbers: tuple[int, ...]) -> Rendered | None:
    """Return a letter to the owner of acme, as the role that sends composes it."""
    wanted = Letter(kind, owner(told), ids, numbers, uuid4())

    async def compose() -> Rendered | None:
        stored = await put(told, 1, wanted)
        own = gather.links(stored, CONSOLE, KEYS, f"{CONSOLE}/link/{'A' * 43}")
        async with connections.connected(told.dsn, "nocontent_mailer") as mailer:
            return await gather.compose(mailer, stored, own)

    return asyncio.run(compose())


SENT = [kind for kind in KINDS if kind not in {"invitation", "subprocessor-notice"}]


@pytest.mark.parametrize("kind", SENT)
def test_no_letter_has_a_word_of_a_refused_request(told: Told, kind: Kind) -> None:
    letter = composed(told, kind, *parts(told, kind))
    assert letter is not None
    built = message.build(Envelope(uuid4(), "mail@example.com", "owner@example.com"), Content(*letter))
    for text in (letter.subject, letter.text, letter.html):
        assert list(told.canaries.find(text.encode())) == []
    assert list(told.canaries.find(built)) == []


def test_the_canaries_were_refused_and_the_review_says_why(told: Told) -> None:
    """Otherwise the test above would see nothing."""
    letter = composed(told, "weekly-review", *parts(told, "weekly-review"))
    assert letter is not None
    assert "vocabulary.unknown-model" in letter.text or "shape." in letter.text
    assert letter.text.count("\n* ") == 5  # No more causes than fit a letter.
    assert list(told.canaries.find(told.canaries.make().encode())) != []


def test_a_review_has_the_sums_of_its_week_and_of_the_one_before(told: Told) -> None:
    first = date(2026, 3, 2)

    async def fill() -> None:
        async with cluster.operator(told.dsn) as connection:
            for day, events, saved in ((-7, 10, 5), (0, 100, 30), (6, 200, 12), (7, 1_000, 999)):
                at = datetime.combine(first + timedelta(days=day), time(12), UTC)
                await metering.put(connection, 1, at, events, (saved * NANO, 0))
            await connection.execute(
                "UPDATE nocontent.usage SET reported_cost_nanousd = events * 1000000000, baseline_events = events / 2"
                " WHERE tenant_id = 1 AND at < '2026-04-01'"
            )

    asyncio.run(fill())
    letter = composed(told, "weekly-review", (), week(first))
    assert letter is not None
    assert letter.subject == "Weekly review of acme: 2 to 8 March 2026"
    for said in ("$300.00", "$290.00 more than the week before", "$42.00", "50.0 % of requests covered"):
        assert said in letter.text
    assert "Nothing that your proxies sent was refused." in letter.text


def test_a_letter_says_what_its_row_says(told: Told) -> None:
    invoice = composed(told, "invoice", (), (1,))
    assert invoice is not None
    assert invoice.subject.startswith("Invoice NC-000001 for ")
    assert "10.00 EUR" in invoice.text
    export = composed(told, "export-ready", (), (12_345,))
    assert export is not None
    assert "12,345" in export.text
    alert = composed(told, "budget-alert", (budget(told),), BUDGET)
    assert alert is not None
    for said in ("monthly budget of tag team=search has reached 80 %", "$4,012.34", "$5,000.00", "1 November 2026"):
        assert said in alert.text
    session = one(
        told,
        "INSERT INTO sessions (tenant_id, person_id, digest, awaits_totp, browser, expires_at)"
        " VALUES ($1, gen_random_uuid(), sha256('s'), false, 'firefox', now()) RETURNING session_id",
    )
    place = composed(told, "new-place", (session,), ())
    assert place is not None
    assert "Firefox" in place.text


@pytest.mark.parametrize(
    ("kind", "ids", "numbers"),
    [
        ("invoice", (), (77,)),
        ("erasure-receipt", (UUID(int=1),), ()),
        ("subprocessor-notice", (UUID(int=1),), ()),
        ("budget-alert", (UUID(int=1),), BUDGET),
    ],
)
def test_what_is_gone_makes_no_letter(told: Told, kind: Kind, ids: tuple[UUID, ...], numbers: tuple[int, ...]) -> None:
    assert composed(told, kind, ids, numbers) is None


def test_ids_of_another_tenant_make_no_letter(told: Told) -> None:
    theirs = one(told, "SELECT erasure_id FROM erasures WHERE tenant_id = $1", 2)
    assert composed(told, "erasure-receipt", (theirs,), ()) is None
    assert composed(told, "invoice", (), (2,)) is None  # The number of a document of globex.


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_to_unsubscribe_is_of_the_person_and_the_group(kind: Kind) -> None:
    stored = letters.Stored(7, uuid4(), kind, uuid4(), (), ())
    own = gather.links(stored, CONSOLE, KEYS)
    group = KINDS[kind].group
    if group in DECLINABLE:
        assert own.unsubscribe is not None
        token = own.unsubscribe.removeprefix(f"{CONSOLE}/unsubscribe/")
        assert unsubscribe.read(KEYS, token) == Subscription(7, stored.person_id, group)
    assert (own.unsubscribe is None) == (group not in DECLINABLE)
    assert bool(render.headers(own)) == (group in DECLINABLE)
    assert gather.links(stored, CONSOLE, None).unsubscribe is None


def test_the_header_that_unsubscribes_is_on_one_line() -> None:
    stored = letters.Stored(2**31 - 1, uuid4(), "budget-alert", uuid4(), (), ())
    own = gather.links(stored, f"https://{'a' * 60}.{'b' * 60}.example.com", KEYS)
    built = message.build(
        Envelope(uuid4(), "mail@example.com", "owner@example.com"), Content("s", "t", "h", render.headers(own))
    )
    head = built.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode().splitlines()
    assert f"List-Unsubscribe: <{own.unsubscribe}>" in head
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in head
