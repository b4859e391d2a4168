"""Settings: read once from the environment; unknown names, bad values and bad relations stop the start.

Every name is NOCONTENT_ and the field's in capitals; the DSN may stand in a file named by NOCONTENT_DSN_FILE.
"""

import itertools
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, get_type_hints

import msgspec
from msgspec import Meta, Struct

from ingest.errors import CannotStart
from schema import limits

PREFIX = "NOCONTENT_"
SECRETS = ("dsn",)
# Every command may be given these; they are read here and nowhere else.
_Address = Annotated[str, Meta(pattern=r"\A[^\s]+:[0-9]{1,5}\Z")]


class Settings(Struct, frozen=True, kw_only=True):
    """What may differ between two deployments."""

    dsn: Annotated[str, Meta(description="PostgreSQL, as postgresql://user@host/database; or NOCONTENT_DSN_FILE")] = ""
    bind: Annotated[_Address, Meta(description="where the API listens, host:port")] = "127.0.0.1:8080"
    metrics_bind: Annotated[_Address, Meta(description="where /metrics listens, host:port")] = "127.0.0.1:9464"
    tls_cert_file: Annotated[str, Meta(description="the API's certificate chain, PEM; none: plain HTTP")] = ""
    tls_key_file: Annotated[str, Meta(description="its key, PEM, not encrypted")] = ""
    workers: Annotated[int, Meta(ge=1, le=64, description="processes")] = 1
    writer_connections: Annotated[int, Meta(ge=1, le=4, description="of each process")] = 1
    drain_s: Annotated[int, Meta(ge=0, le=300, description="seconds between not ready and closing")] = 5
    retention_days: Annotated[
        int, Meta(ge=1, le=limits.RETENTION_DAYS_MAX, description="days that events are kept and accepted back")
    ] = 30
    maintain: Annotated[bool, Meta(description="keep partitions from inside the service")] = True
    data_dir: Annotated[str, Meta(description="where `demo` keeps its own PostgreSQL")] = ".nocontent"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; raises CannotStart that names the variable and not its value."""
    given = os.environ if environ is None else environ
    values: dict[str, object] = {}
    hints = get_type_hints(Settings, include_extras=True)
    for name in sorted(given):
        if not name.startswith(PREFIX):
            continue
        field, text = _field(name, given)
        if field not in hints:
            known = ", ".join(PREFIX + known.upper() for known in hints)
            raise CannotStart(f"{name} is no setting. Known: {known}, {PREFIX}DSN_FILE.")
        if field in values:
            raise CannotStart(f"{PREFIX}DSN and {PREFIX}DSN_FILE are both set: which one?")
        try:
            values[field] = msgspec.convert(text, hints[field], strict=False)
        except msgspec.ValidationError:
            raise CannotStart(f"{name} must be: {_meaning(field)}.") from None
    settings = Settings(**values)  # type: ignore[arg-type]  # Each was converted to its field's type above.
    for one, other in itertools.permutations(("tls_cert_file", "tls_key_file")):
        if getattr(settings, one) and not getattr(settings, other):
            raise CannotStart(f"{PREFIX}{one.upper()} is set, so {PREFIX}{other.upper()} must be too.")
    return settings


def require_dsn(settings: Settings) -> str:
    """Give the DSN, or raise CannotStart."""
    if not settings.dsn:
        raise CannotStart(
            f"No database: set {PREFIX}DSN or {PREFIX}DSN_FILE to a PostgreSQL. `nocontent demo` brings its own."
        )
    return settings.dsn


def masked(settings: Settings) -> dict[str, object]:
    """Give the settings for printing: a password in the DSN is covered."""
    shown = msgspec.structs.asdict(settings)
    for name in SECRETS:
        shown[name] = re.sub(r"(://[^:/@]*):[^@]*@", r"\1:****@", str(shown[name]))
        shown[name] = re.sub(r"(?i)(password=)[^&\s]*", r"\1****", str(shown[name]))
    return shown


def environment(settings: Settings) -> dict[str, str]:
    """Give the environment of a child process that shall have these settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    fields = msgspec.structs.asdict(settings).items()
    return own | {PREFIX + name.upper(): str(value) for name, value in fields if value != ""}


def export(name: str, value: str) -> None:
    """Set a variable that a library reads, such as PROMETHEUS_MULTIPROC_DIR, for this process and its children."""
    os.environ[name] = value


def describe() -> list[tuple[str, str, object]]:
    """Give name, meaning and default of each setting."""
    defaults = msgspec.structs.asdict(Settings())
    return [(PREFIX + field.upper(), _meaning(field), default) for field, default in defaults.items()]


def _field(name: str, given: Mapping[str, str]) -> tuple[str, str]:
    field = name.removeprefix(PREFIX).lower()
    if field.removesuffix("_file") not in SECRETS or not field.endswith("_file"):
        return field, given[name]
    try:
        return field.removesuffix("_file"), Path(given[name]).read_text("utf-8").strip()
    except OSError:
        raise CannotStart(f"{name} names a file that cannot be read.") from None


def _meaning(field: str) -> str:
    hint = get_type_hints(Settings, include_extras=True)[field]
    says = [meta.description for meta in hint.__metadata__ if meta.description]
    bounds = [f"{meta.ge} to {meta.le}" for meta in hint.__metadata__ if meta.ge is not None]
    return ", ".join([*says, *bounds])
