"""The categories for which routes count are those that the classifier names, and everybody may send them."""

from ingest.gateway.classifier import weights
from ingest.knowledge.gateway import CATEGORIES
from schema.event import Kind
from schema.vocabulary import shipped_terms
from tests.support.service import ROOT


def test_the_categories_are_those_of_the_weights() -> None:
    assert weights.load().categories == CATEGORIES
    assert set(CATEGORIES) <= set(shipped_terms(Kind.TASK_CATEGORY))


def test_the_page_names_them() -> None:
    page = " ".join((ROOT / "docs/gateway-tables.md").read_text("utf-8").split())
    assert f"{', '.join(CATEGORIES[:-1])} and {CATEGORIES[-1]}" in page
