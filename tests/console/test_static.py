"""Files: their paths change with their content, they are kept for ever, and those of others are as published."""

import gzip
import hashlib
import re

from ingest.console import static
from tests.support.console import Console
from tests.support.service import ROOT

VENDOR = ROOT / "ingest/console/static/vendor"
_ROW = re.compile(r"^\| `([\w.-]+)` \| [^|]+ [0-9.]+ \| `[^`]+` \| [^|]+ \| `([0-9a-f]{64})` \|$", re.MULTILINE)
FIRST_PAGE_BYTES_MAX = 100_000


def test_files_of_others_are_as_published_and_each_has_its_row() -> None:
    listed = dict(_ROW.findall((VENDOR / "THIRD_PARTY.md").read_text("utf-8")))
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in VENDOR.iterdir()}
    del found["THIRD_PARTY.md"]
    assert listed == found


def test_a_file_is_answered_compressed_and_kept_for_ever(running: Console) -> None:
    visitor = running.stranger()
    for name, asset in static.assets().items():
        plain = visitor.get(static.path_of(name), {"Accept-Encoding": "identity"})
        packed = visitor.get(static.path_of(name), {"Accept-Encoding": "gzip"})
        assert (plain.body, gzip.decompress(packed.body)) == (asset.plain, asset.plain)
        assert packed.headers["content-encoding"] == "gzip"
        for answer in (plain, packed):
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert answer.headers["content-type"] == asset.media_type
            assert answer.headers["vary"] == "Accept-Encoding"
    visitor.close()


def test_another_version_or_name_is_not_there(running: Console) -> None:
    visitor = running.stranger()
    good = static.path_of("console.css")
    assert visitor.get(good.replace("console.css", "console.js")).status == 404
    assert visitor.get("/static/0000000000000000/console.css").status == 404
    assert visitor.get(good.replace("console.css", "..%2F..%2Fapp.py")).status == 404
    assert visitor.get(good.replace("console.css", "THIRD_PARTY.md")).status == 404
    visitor.close()


def test_a_first_page_with_its_files_is_small(running: Console) -> None:
    visitor = running.stranger()
    page = visitor.get("/sign-in")
    paths = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.body.decode()))
    files = [visitor.get(path, {"Accept-Encoding": "gzip"}) for path in paths]
    assert len(page.body) + sum(len(file.body) for file in files) < FIRST_PAGE_BYTES_MAX
    visitor.close()


def test_templates_use_nothing_of_htmx_that_needs_a_function_from_text() -> None:
    for template in (ROOT / "ingest/console/templates").iterdir():
        if template.name == "site_report.html":  # A file that `nocontent site` writes, and no answer of the console.
            continue
        assert not re.search(
            r"hx-on|\bjs:|javascript:|hx-trigger=\"[^\"]*\[|hx-vals|\sstyle=|<style", template.read_text("utf-8")
        )


def test_every_page_has_the_scripts_of_no_other_origin() -> None:
    for template in (ROOT / "ingest/console/templates").iterdir():
        for tag in re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", template.read_text("utf-8")):
            # The last one is a letter, by a path of its page.
            own = r"(?:src|href)=\"\{\{ (?:static\(|picture|path \}\}/html\" sandbox=)"
            assert re.search(own, tag), tag


def test_a_form_that_acts_is_sent_by_the_browser_itself() -> None:
    """A script that follows the redirect of one would show a file as text, and swallow a download."""
    for template in (ROOT / "ingest/console/templates").iterdir():
        for tag in re.findall(r"<form\b[^>]*>", template.read_text("utf-8")):
            assert 'method="get"' in tag or 'hx-boost="false"' in tag, tag
