"""The page about routing tables has every reason, and its example is what the code computes."""

import re
from pathlib import Path

from ingest.gateway.routing.switching import Load, cost_picousd
from ingest.knowledge.gateway import REASONS
from tests.gateway.routing.requests import HAIKU, OPUS
from tests.gateway.routing.test_switching import HAIKU_RATES, OPUS_RATES

PAGE = (Path(__file__).parents[3] / "docs/gateway-tables.md").read_text()


def test_the_page_has_each_reason_once() -> None:
    assert sorted(
        re.findall(r"^\| `([a-z-]+)` \|", PAGE.partition("| reason |")[2].partition("\n## ")[0], re.MULTILINE)
    ) == sorted(REASONS)


def test_the_example_of_the_page_is_computed() -> None:
    load = Load(24_000, 0, caches=True, caches_1h=False)
    costs = cost_picousd(OPUS_RATES, load, OPUS, 24_000), cost_picousd(HAIKU_RATES, load, HAIKU, 0)
    assert [f"{cost / 10**10:.1f} cents" for cost in costs] == re.findall(r"[0-9.]+ cents", PAGE)
