"""A tenant's choice about free-text diagnostics: the lists of the docs, and how senders come to know of the choice."""

import re
from collections.abc import Callable
from functools import partial

from ingest.intake import diagnostics
from ingest.knowledge.diagnostics import Diagnostics
from ingest.store import tenants as operator_tenants
from ingest.store.connections import Connection
from tests.support import customers
from tests.support.customers import Customer
from tests.support.service import ROOT, Server, wait_until
from tests.support.wire import Sender

SenderOf = Callable[[str], Sender]


def test_the_docs_list_the_fields_word_for_word() -> None:
    page = (ROOT / "docs/policy.md").read_text("utf-8")
    section = page.split("\n## Free text beside the numbers\n")[1].split("\n## ")[0]
    _, free_text, context = re.split(r"^- ", section, flags=re.MULTILINE)
    assert tuple(re.findall(r"`([^`]+)`", free_text)) == diagnostics.FREE_TEXT
    assert tuple(re.findall(r"`([^`]+)`", context.split("\n\n")[0])) == diagnostics.CONTEXT


def test_the_policy_tells_how_diagnostics_are_treated(sender_of: SenderOf) -> None:
    told = {name: sender_of(name).get("/v1/policy").json["diagnostics"] for name in ("main", "discarder")}
    assert told == {"main": "refuse", "discarder": "discard"}


def test_an_operators_choice_changes_the_policy_and_its_tag(
    server: Server, tenants: dict[str, Customer], sender_of: SenderOf
) -> None:
    sender, tenant_id = sender_of("switched"), tenants["switched"].tenant_id
    tag = sender.get("/v1/policy").headers["etag"]
    for choice in (Diagnostics.DISCARD, Diagnostics.REFUSE):
        customers.act(server.dsn, partial(_choose, tenant_id=tenant_id, choice=choice))
        wait_until(partial(_tells, sender, choice))
        status = sender.get("/v1/policy", {"If-None-Match": tag}).status
        assert status == (304 if choice is Diagnostics.REFUSE else 200)


async def _choose(connection: Connection, tenant_id: int, choice: Diagnostics) -> None:
    await operator_tenants.set_diagnostics(connection, tenant_id, choice)


def _tells(sender: Sender, choice: Diagnostics) -> bool:
    return sender.get("/v1/policy").json["diagnostics"] == choice.name.lower()
