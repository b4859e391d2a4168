"""The refresher: the knowledge it keeps up to date, and the knowledge it forgets."""

import pytest

from ingest.intake import refresher
from ingest.knowledge.snapshot import Snapshot, Tenant
from schema.vocabulary import Mode, TagSet
from tests.support.gauge import vocabulary


def known(*cached: int) -> Snapshot:
    """Make a snapshot with a tenant for each number, which has so many tag sets cached."""
    tenants = {}
    for tenant_id, tag_sets in enumerate(cached, 1):
        tenants[tenant_id] = Tenant(tenant_id, vocabulary(Mode.REFUSE))
        for number in range(tag_sets):
            tenants[tenant_id].vocabulary.tags[str(number).encode()] = TagSet(bytes(8), 0, 0)
    return Snapshot(tenants=tenants)


@pytest.mark.parametrize(
    ("cached", "left"),
    [
        ((3, 4, 3), (3, 4, 3)),
        ((3, 5, 3), (3, 0, 3)),
        ((9, 5, 8), (0, 5, 0)),
        ((0, 11), (0, 0)),
    ],
)
def test_the_tenant_with_the_most_tag_sets_forgets_its_own_first(
    cached: tuple[int, ...], left: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresher, "TAG_SETS_MAX", 10)
    snapshot = known(*cached)
    refresher.forget_tag_sets(snapshot)
    assert tuple(len(tenant.vocabulary.tags) for tenant in snapshot.tenants.values()) == left
