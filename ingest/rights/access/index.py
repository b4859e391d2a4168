"""The index of an archive: what is held in which table or file, why, until when, and what is left out and why."""

from datetime import date, datetime

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

_environment = Environment(
    loader=PackageLoader("ingest.rights.access"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip
_page = _environment.get_template("index.html.jinja")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A table, or a kind of file. `file` names the rows in the archive; if there is none, `left_out` says why."""

    name: str
    kind: str  # table, or file.
    holds: str
    why: str
    clock: str
    until: date | None = None
    rows: int | None = None
    file: str | None = None
    sha256: str | None = None
    columns_left_out: dict[str, str] = {}
    left_out: str | None = None


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of an archive, by table and file."""

    tenant: str
    tenant_id: int
    person: str | None  # A tag, if the archive is about whoever is behind it.
    as_of: datetime
    schema_version: int
    entries: tuple[Entry, ...]

    def as_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    def as_page(self) -> bytes:
        """Return a page that needs no script and prints; every value on it is escaped."""
        held = [entry for entry in self.entries if entry.file is not None]
        absent = [entry for entry in self.entries if entry.file is None]
        return _page.render(index=self, held=held, absent=absent).encode()
