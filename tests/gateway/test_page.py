"""docs/gateway.md has every setting of a gateway, with its default."""

import re

from ingest import config
from ingest.gateway.settings import GatewaySettings
from tests.support.service import ROOT

_ROW = re.compile(r"^\| `(NOCONTENT_GATEWAY_[A-Z_]+)` \| (\(none\)|`([^`]*)`) \|", re.MULTILINE)


def test_the_page_lists_every_setting_with_its_default() -> None:
    page = (ROOT / "docs/gateway.md").read_text("utf-8")
    listed = {name: value for name, _, value in _ROW.findall(page)}
    shown = {name: default for name, _, default in config.describe(GatewaySettings)}
    assert listed == {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in shown.items()
    }
