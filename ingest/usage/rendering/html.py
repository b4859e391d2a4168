"""Makes the printable page of a document: one file without script, image or link."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from ingest.usage.rendering.sheet import Sheet

if TYPE_CHECKING:
    from jinja2 import Template

# In the page, since a style sheet of its own would be another door; the policy permits this one by its hash.
_STYLE = """
body{font:14px/1.4 sans-serif;color:#111;background:#fff;max-width:52em;margin:2em auto;padding:0 1em}
h1{font-size:1.5em}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1.5em}
dt{color:#555}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35em .5em;border-bottom:1px solid #ccc}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tfoot td{font-weight:bold;border-bottom:0}
section+section{break-before:page;margin-top:4em}
@media print{body{margin:0;max-width:none;font-size:11px}tr{break-inside:avoid}thead{display:table-header-group}}
@page{size:A4;margin:20mm}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "sandbox"
)


@cache
def _page() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 (a tenth of a worker's start)

    environment = Environment(
        loader=PackageLoader("ingest.usage.rendering"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("page.html.jinja")


def render(sheets: Sequence[Sheet]) -> bytes:
    """Return the page of a document, or of two that belong together."""
    return _page().render(sheets=sheets, style=_STYLE).encode()
