"""Letters that nobody could send in time are given up, whether there is a mail server or none."""

import ssl
from datetime import timedelta

import pytest

from ingest.alerts.mail import job
from ingest.alerts.mail import round as rounds
from ingest.store.connections import Connection
from ingest.store.mail import sending
from ingest.store.mail.kinds import Kind
from tests.alerts.mail.conftest import Office
from tests.support import mail
from tests.support.mail import Inbox

_AGE = "UPDATE outbox SET created_at = created_at - $1::interval"
_MINUTE = timedelta(minutes=1)
AGES: dict[Kind, timedelta] = {
    "reset": sending.RESET_AGE_MAX, "new-place": sending.ONCE_AGE_MAX, "weekly-review": sending.ONCE_AGE_MAX,
    "invoice": sending.AGE_MAX,
}  # fmt: skip


@pytest.mark.parametrize("kind", AGES)
async def test_a_letter_that_is_too_old_never_comes(
    office: Office, owner: Connection, mailer: Connection, kind: Kind
) -> None:
    inbox = Inbox()
    await mail.put(owner, office.tenant_id, office.people[0], kind)
    await owner.execute(_AGE, AGES[kind] + _MINUTE)
    await mail.put(owner, office.tenant_id, office.people[1], kind)
    async with mail.serving(inbox) as relay:
        done = await rounds.send_over(mailer, relay, ssl.create_default_context(), mail.compose)
    assert [each.recipient for each in inbox.received] == ["person-2@example.com"]
    assert done.figures["letters_given_up"] == 1
    assert await mail.states(owner) == {"given-up": 1, "sent": 1}


async def test_without_a_server_letters_are_given_up_as_well(
    office: Office, owner: Connection, mailer: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that none of years ago comes once a server is named, and the rows of all go by their clock."""
    monkeypatch.delenv("NOCONTENT_SMTP_URL", raising=False)
    await mail.put(owner, office.tenant_id, office.people[0])
    assert (await job.send_mail(mailer)).figures["letters_waiting"] == 1
    await owner.execute(_AGE, sending.AGE_MAX + _MINUTE)
    done = await job.send_mail(mailer)
    assert (done.figures["letters_waiting"], done.figures["letters_given_up"]) == (0, 1)
    assert await mail.states(owner) == {"given-up": 1}
