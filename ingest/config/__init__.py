"""Settings: read once from the environment; unknown names, bad values and bad relations stop the start.

Every name is NOCONTENT_ and the field's in capitals; the DSN may stand in a file named by NOCONTENT_DSN_FILE.
"""

import codecs
import ipaddress
import itertools
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, get_type_hints

import msgspec
from msgspec import Meta, Struct

from ingest.config import dsn
from ingest.errors import CannotStart
from schema import limits

PREFIX = "NOCONTENT_"
SECRETS = ("dsn",)
COUNTS_PREFIX = "nocontent-metrics-"  # Then the process id of the parent, and something random.
_BINDS = ("bind", "metrics_bind")
# Every command may be given these; they are read here and nowhere else.
_Address = Annotated[str, Meta(pattern=r"\A(\[[^\[\]\s]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}\Z")]
_PORT_MAX = 65_535
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_SECRET_BYTES_MAX = 65_536
_NO_ASCII = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # That of UTF-32-LE begins as the first.


class Settings(Struct, frozen=True, kw_only=True):
    """What may differ between two deployments."""

    dsn: Annotated[str, Meta(description="PostgreSQL, as postgresql://user@host/database; or NOCONTENT_DSN_FILE")] = ""
    bind: Annotated[_Address, Meta(description="where the API listens, host:port, IPv6 as [::1]:8080")] = (
        "127.0.0.1:8080"
    )
    metrics_bind: Annotated[_Address, Meta(description="where /metrics listens, host:port, IPv6 as [::1]:9464")] = (
        "127.0.0.1:9464"
    )
    tls_cert_file: Annotated[str, Meta(description="the API's certificate chain, PEM; none: plain HTTP")] = ""
    tls_key_file: Annotated[str, Meta(description="its key, PEM, not encrypted")] = ""
    keep_alive_s: Annotated[
        int, Meta(ge=1, le=3_600, description="seconds that a connection without a request is kept open")
    ] = 75  # Longer than a load balancer's usual minute, so that it is never us who close first.
    workers: Annotated[int, Meta(ge=1, le=64, description="processes")] = 1
    writer_connections: Annotated[int, Meta(ge=1, le=4, description="of each process")] = 1
    drain_s: Annotated[int, Meta(ge=0, le=300, description="seconds between not ready and closing")] = 5
    retention_days: Annotated[
        Annotated[int, Meta(ge=1, le=limits.RETENTION_DAYS_MAX)] | None,
        Meta(description="days that a new database keeps, 1 to 400, or 30; then `nocontent retention set`"),
    ] = None
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
        if not text.isprintable():
            raise CannotStart(f"{name} has a line break, or another character that is no text.")
        values[field] = _value(name, field, text, hints[field])
    settings = Settings(**values)  # type: ignore[arg-type]  # Each was converted to its field's type above.
    for one, other in itertools.permutations(("tls_cert_file", "tls_key_file")):
        if getattr(settings, one) and not getattr(settings, other):
            raise CannotStart(f"{PREFIX}{one.upper()} is set, so {PREFIX}{other.upper()} must be too.")
    return settings


def _value(name: str, field: str, text: str, hint: object) -> object:
    try:
        value: object = msgspec.convert(text, hint, strict=False)
        if field in _BINDS:
            address(text)
    except ValueError:  # msgspec.ValidationError is one.
        raise CannotStart(f"{name} must be: {_meaning(field)}.") from None
    return value


def require_dsn(settings: Settings) -> str:
    """Give the DSN, or raise CannotStart: also for one that asyncpg would take for something else."""
    if not settings.dsn:
        raise CannotStart(
            f"No database: set {PREFIX}DSN or {PREFIX}DSN_FILE to a PostgreSQL. `nocontent demo` brings its own."
        )
    dsn.check(settings.dsn, f"{PREFIX}DSN")
    return settings.dsn


def address(bind: str) -> tuple[str, int]:
    """Give host, without its brackets, and port; raises ValueError."""
    host, _, port = bind.rpartition(":")
    if not 0 < int(port) <= _PORT_MAX:
        raise ValueError
    if host.startswith("["):
        return str(ipaddress.IPv6Address(host[1:-1])), int(port)
    # Hypercorn takes the name `unix` for a socket in a folder.
    if host == "unix" or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise ValueError
    return host, int(port)


def masked(settings: Settings) -> dict[str, object]:
    """Give the settings for printing: a password in the DSN is covered."""
    return msgspec.structs.asdict(settings) | {"dsn": dsn.shown(settings.dsn)}


def environment(settings: Settings) -> dict[str, str]:
    """Give the environment of a child process that shall have these settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    fields = msgspec.structs.asdict(settings).items()
    return own | {PREFIX + name.upper(): str(value) for name, value in fields if value not in {"", None}}


def export(name: str, value: str) -> None:
    """Set a variable that a library reads, such as PROMETHEUS_MULTIPROC_DIR, for this process and its children."""
    os.environ[name] = value


def forget_counts_of_others() -> None:
    """Forget the folder for counts that somebody has named; a worker's is its parent's."""
    own = f"{COUNTS_PREFIX}{os.getppid()}-"
    for name in ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"):
        if not Path(os.environ.get(name, "")).name.startswith(own):
            os.environ.pop(name, None)


def counts_folder() -> Path | None:
    """Give the folder for this worker's counts; None outside of a worker."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(folder) if folder else None


def describe() -> list[tuple[str, str, object]]:
    """Give name, meaning and default of each setting."""
    defaults = msgspec.structs.asdict(Settings())
    return [(PREFIX + field.upper(), _meaning(field), default) for field, default in defaults.items()]


def _field(name: str, given: Mapping[str, str]) -> tuple[str, str]:
    field = name.removeprefix(PREFIX).lower()
    if field in SECRETS:
        return field, given[name].strip()
    if field.removesuffix("_file") not in SECRETS or not field.endswith("_file"):
        return field, given[name]
    return field.removesuffix("_file"), _secret(name, given[name])


def _secret(name: str, path: str) -> str:
    """Read a secret as an editor, a shell or an orchestrator leaves it: one line of ASCII, or what strips to one."""
    try:
        with Path(path).open("rb") as file:
            found = file.read(_SECRET_BYTES_MAX + 1)
    except (OSError, ValueError):  # ValueError: a NUL in the name.
        raise CannotStart(f"{name} names a file that cannot be read.") from None
    if found.startswith(_NO_ASCII) or b"\0" in found:
        raise CannotStart(f"{name} names a file that is not ASCII text (UTF-16, or with a NUL).")
    found = found.removeprefix(codecs.BOM_UTF8).strip()
    if not found:
        raise CannotStart(f"{name} names a file that is empty.")
    if len(found) > _SECRET_BYTES_MAX:
        raise CannotStart(f"{name} names a file that is far too long.")
    if not found.isascii() or len(found.splitlines()) > 1:
        raise CannotStart(f"{name} names a file that is not one line of ASCII: percent-encode what is not.")
    return found.decode("ascii")


def _meaning(field: str) -> str:
    hint = get_type_hints(Settings, include_extras=True)[field]
    says = [meta.description for meta in hint.__metadata__ if meta.description]
    bounds = [f"{meta.ge} to {meta.le}" for meta in hint.__metadata__ if meta.ge is not None]
    return ", ".join([*says, *bounds])
