"""The job as an operator runs it: a process with settings, and a real letter with a link that works."""

import asyncio
import re
import sys

from ingest.accounts import links
from ingest.store import connections
from ingest.store.connections import Connection
from tests.alerts.mail.conftest import Office
from tests.support import mail
from tests.support.mail import Inbox


async def _run_jobs(office: Office, **settings: str) -> str:
    own = {f"NOCONTENT_{name.upper()}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ingest", "jobs", "--once",
        env={"NOCONTENT_DSN": office.dsn, **own}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return output.decode()


async def test_a_process_sends_a_reset_whose_link_works(office: Office, owner: Connection) -> None:
    inbox = Inbox()
    await owner.execute("UPDATE people SET role = 'auditor'")  # To whom no other job puts a letter.
    await mail.put(owner, office.tenant_id, office.people[0], "reset")
    printed = await _run_jobs(office)
    assert (await mail.states(owner), inbox.received) == ({"pending": 1}, [])  # No server is set.
    assert "mail: " in printed
    async with mail.serving(inbox) as relay:
        await _run_jobs(
            office, smtp_url=f"smtp://{mail.HOST}:{relay.port}", mail_from=mail.SENDER,
            console_url="http://127.0.0.1:9",
        )  # fmt: skip
    (received,) = inbox.received
    message = received.parsed()
    assert message["From"] == mail.SENDER
    assert message["List-Unsubscribe"] is None  # A reset cannot be declined.
    secrets = set()
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        secrets.update(re.findall(rf"http://127\.0\.0\.1:9{links.PATH}([\w-]+)", body.get_content()))
    (secret,) = secrets
    async with connections.connected(office.dsn, "nocontent_console") as console:
        found = await links.find(console, secret)
    assert found is not None
    assert (found.kind, found.person.person_id) == ("reset", office.people[0])
    assert await mail.states(owner) == {"sent": 1}
