"""The console of a service on this machine: its keys, and an owner who signs in by a link that works once."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ingest import config
from ingest.accounts.links import Link
from ingest.accounts.settings import is_loopback
from ingest.console.settings import ConsoleSettings
from ingest.demo import local_service
from ingest.demo.settings import DemoSettings
from ingest.knowledge import keys
from ingest.store import connections
from ingest.store.accounts import people
from ingest.store.accounts.errors import PersonUnknown
from ingest.store.accounts.people import NewPerson
from ingest.store.mail import letters, outbox
from ingest.store.mail.kinds import Kind
from ingest.store.mail.outbox import Letter

OWNER = "owner@example.com"
_KEYS = "session-keys"
_LETTERS_MAX = 100
_Own = TypeVar("_Own", bound=DemoSettings)


def prepared(settings: _Own, folder: Path) -> _Own:
    """Return the settings of the console, with a free address, and with keys that a folder of ours keeps."""
    file = folder / _KEYS
    if not file.exists():
        keys.write(file)
    bind = local_service.free_address(settings.console_bind)
    return replace(
        settings,
        console_bind=bind,
        console_metrics_bind=local_service.free_address(settings.console_metrics_bind),
        console_url=_url(settings, bind),
        session_keys_file=str(file),
    )


def _url(settings: ConsoleSettings, bind: str) -> str:
    is_chosen = settings.console_url != ConsoleSettings.console_url
    return settings.console_url if is_chosen or not is_loopback(config.address(bind)[0]) else f"http://{bind}"


async def invite_owner(settings: DemoSettings, tenant: str) -> list[Kind]:
    """Invite the tenant's owner, the first time; return the kinds of letters that wait for a mail server."""
    tenant_id = await local_service.find(settings.dsn, tenant)
    async with connections.connected(settings.dsn, "nocontent_control") as control:
        try:
            await people.find(control, tenant_id, OWNER)
        except PersonUnknown:
            async with control.transaction():
                owner = await people.add(control, tenant_id, NewPerson(OWNER, f"The owner of {tenant}", "owner"))
                await outbox.put(control, tenant_id, Letter("invitation", owner, (), (), owner))
        page = await letters.page(control, tenant_id, None, _LETTERS_MAX)
    return [line.kind for line in page.lines if line.state == "pending"]


async def sign_in_url(settings: DemoSettings, tenant: str) -> str:
    """Return a URL that signs the tenant's owner in, once, within 10 minutes."""
    link = Link.make()
    tenant_id = await local_service.find(settings.dsn, tenant)
    async with connections.connected(settings.dsn, "nocontent_control") as control:
        await people.add_link(control, tenant_id, await people.find(control, tenant_id, OWNER), "sign-in", link.digest)
    return link.url(settings.console_url)
