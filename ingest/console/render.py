"""Renders templates: Jinja2 with escaping everywhere, and an error for a name that a handler has not passed."""

from functools import cache
from http import HTTPStatus
from typing import cast
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.responses import Response

from ingest.console import figures, static
from ingest.console.tables import NUMBERS, Link

UTC = ZoneInfo("UTC")
MEDIA_TYPE = "text/html; charset=utf-8"


@cache
def environment() -> Environment:
    """Return the environment of all templates; what it knows, each of them may use."""
    made = Environment(
        loader=PackageLoader("ingest.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False, cache_size=-1,
    )  # fmt: skip
    made.globals |= {
        "amount": figures.amount,
        "bytes": figures.size,
        "count": figures.count,
        "day": figures.day,
        "is_link": lambda cell: isinstance(cell, Link),
        "is_number": lambda kind: kind in NUMBERS,
        "money": figures.money,
        "ms": figures.milliseconds,
        "percent": figures.share,
        "static": static.path_of,
        "when": _when,
    }
    return made


def page(template: str, status: HTTPStatus, context: dict[str, object]) -> Response:
    """Return the answer with a page."""
    text = environment().get_template(template).render(context)
    return Response(text.encode("utf-8"), status, media_type=MEDIA_TYPE)


@pass_context
def _when(context: Context, at: object) -> str:
    zone = cast("ZoneInfo", context.get("zone", UTC))
    return figures.when(at, zone)  # type: ignore[arg-type]  # Jinja passes any object; `figures` fails for others.
