"""The page of an archive escapes every value, and works without scripts."""

import re
from datetime import UTC, date, datetime

from ingest.rights.access.index import Entry, Index

_HOSTILE = "<script>alert(1)</script>\"'&"


def test_every_value_is_escaped() -> None:
    entries = [
        Entry(
            name=_HOSTILE, kind="table", holds=_HOSTILE, why=_HOSTILE, clock=_HOSTILE, until=date(2027, 1, 1), rows=3,
            file=file, columns_left_out={_HOSTILE: _HOSTILE}, left_out=_HOSTILE,
        )
        for file in (None, _HOSTILE)
    ]  # fmt: skip
    index = Index(
        tenant=_HOSTILE, tenant_id=1, person=_HOSTILE, as_of=datetime(2026, 11, 28, tzinfo=UTC), schema_version=28,
        entries=tuple(entries),
    )  # fmt: skip
    page = index.as_page().decode()
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;") >= 15
    assert not re.search(r"\bon[a-z]+=|javascript:|https?:", page)
