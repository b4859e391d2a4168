"""Checks names that operators enter as strictly as terms: a key or a sentence is pasted as easily as a name."""

from ingest.errors import CannotStart
from schema.event import Kind
from schema.gauntlet import fault
from schema.rules import RULES


def require_tenant_name(name: str) -> None:
    """Raise CannotStart, without the name, unless a tenant may have it."""
    _require("a tenant's name", name)


def require_login_name(name: str) -> None:
    """Raise CannotStart, without the name, unless a login may have it; PostgreSQL allows `_` and `$`."""
    _require("a login's name", name.strip("_$").replace("$", "-"))


def _require(what: str, name: str) -> None:
    rule = fault(Kind.PROVIDER, name)  # The kind with the strictest grammar.
    if rule is not None:
        raise CannotStart(f"This cannot be {what}: {rule}: {RULES[rule].says}")
