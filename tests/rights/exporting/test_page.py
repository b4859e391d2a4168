"""docs/export.md has each data set with all its files, and no others."""

import re

from ingest.store.rights.datasets import STANDING
from tests.support.service import ROOT

_ROW = re.compile(r"^\| `([a-z]+)` \| (.+?) \| .+ \|$", re.MULTILINE)
_BY_DAY = {"events", "ledger"}  # A file for each day.


def test_the_page_has_every_file_of_every_data_set() -> None:
    section = (ROOT / "docs/export.md").read_text("utf-8").partition("## Data sets")[2].partition("\n## ")[0]
    listed = {name: set(re.findall(r"`([a-z_]+)`", files)) for name, files in _ROW.findall(section)}
    wanted: dict[str, set[str]] = {name: set() for name in _BY_DAY}
    for table in STANDING:
        wanted.setdefault(table.data, set()).add(table.name)
    assert listed == wanted
