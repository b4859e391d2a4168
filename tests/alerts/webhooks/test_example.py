"""The example of docs/webhooks.md: it takes what we sign, once, and nothing else."""

import runpy
import time
from collections.abc import Callable, Mapping
from typing import cast
from uuid import UUID

from ingest.alerts.webhooks import signing
from ingest.alerts.webhooks.signing import Message
from ingest.knowledge.keys import Keys
from ingest.store.webhooks.kinds import EVENTS
from tests.support.service import ROOT

IsOurs = Callable[[str, Mapping[str, str], bytes], bool]
WEBHOOK = UUID(int=1)
BODY = b'{"type":"webhook-test"}'


def _is_ours() -> IsOurs:
    return cast("IsOurs", runpy.run_path(str(ROOT / "docs" / "examples" / "webhook_receiver.py"))["is_ours"])


def test_it_takes_what_was_signed_with_its_secret_lately() -> None:
    is_ours, before = _is_ours(), Keys.make()
    after = before.rotated()
    now = int(time.time())
    headers = signing.headers(after, WEBHOOK, Message("id-1", now, BODY))
    for keys in (before, after):
        assert is_ours(signing.secret(keys, WEBHOOK), headers, BODY)
    secret = signing.secret(after, WEBHOOK)
    assert not is_ours(secret, headers, BODY + b" ")
    assert not is_ours(secret, headers | {"webhook-id": "id-2"}, BODY)
    assert not is_ours(secret, headers | {"webhook-timestamp": str(now + 1)}, BODY)
    assert not is_ours(secret, {}, BODY)
    assert not is_ours(signing.secret(Keys.make(), WEBHOOK), headers, BODY)
    late = Message("id-1", now - 301, BODY)
    assert not is_ours(secret, signing.headers(after, WEBHOOK, late), BODY)


def test_the_page_has_the_table_of_events() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text()
    for kind, row in EVENTS.items():
        names = ", ".join(f"`{name.removesuffix('_day')}`" for name in (*row.ids, *row.numbers))
        assert f"| `{kind}` | {row.says} | {names + ' ' if names else ''}|" in page
