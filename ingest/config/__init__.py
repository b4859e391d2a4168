"""Settings: read once from the environment; unknown names, bad values and bad relations stop the start.

Every name is NOCONTENT_ and the field's in capitals; a secret may stand in a file named by the same with _FILE.
"""

import codecs
import dataclasses
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, ClassVar, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Meta

from ingest.errors import CannotStart

PREFIX = "NOCONTENT_"
COUNTS_PREFIX = "nocontent-metrics-"  # Then the process id of the parent, and something random.
_PORT_MAX = 65_535
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_SECRET_BYTES_MAX = 65_536
_NO_ASCII = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # That of UTF-32-LE begins as the first.


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


# Every command may be given these; they are read here and nowhere else.
Address = Annotated[str, Meta(pattern=r"\A(\[[^\[\]\s]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}\Z", extra={"check": address})]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What may differ between two deployments: a room declares its own, and a process has those of its rooms.

    A field may say more than its type does by `Meta.extra`: `check` raises ValueError, and a field with `shown`, which
    returns what of it may be printed, is a secret, which may stand in a file.
    """

    LISTED: ClassVar[tuple[str, ...]] = ()  # These first and in this order; then any others.


Kind = TypeVar("Kind", bound=Settings)


def load(kind: type[Kind], environ: Mapping[str, str] | None = None) -> Kind:
    """Read the settings, of which there are no others; raises CannotStart that names the variable and not its value."""
    given = os.environ if environ is None else environ
    values: dict[str, object] = {}
    hints = _hints(kind)
    for name in sorted(given):
        if not name.startswith(PREFIX):
            continue
        field = _field(name, hints)
        text = _text(name, given[name], hints.get(field))
        if field not in hints:
            known = [*hints, *(f"{field}_file" for field, hint in hints.items() if "shown" in _extra(hint))]
            raise CannotStart(f"{name} is no setting. Known: {', '.join(PREFIX + each.upper() for each in known)}.")
        if field in values:
            raise CannotStart(f"{PREFIX}{field.upper()} and {PREFIX}{field.upper()}_FILE are both set: which one?")
        if not text.isprintable():
            raise CannotStart(f"{name} has a line break, or another character that is no text.")
        values[field] = _value(name, text, hints[field])
    return kind(**values)


def load_own(kind: type[Kind]) -> Kind:
    """Read the settings of a room; those of others are theirs, and were known when this process's parent started."""
    hints = _hints(kind)
    return load(kind, {name: text for name, text in os.environ.items() if _field(name, hints) in hints})


def masked(settings: Settings) -> dict[str, object]:
    """Return the settings for printing: a password in a secret is covered."""
    hints = _hints(type(settings))
    values = {field: getattr(settings, field) for field in hints}
    return {field: _extra(hints[field]).get("shown", _same)(value) for field, value in values.items()}


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a child process that shall have these settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    fields = dataclasses.asdict(settings).items()
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


def describe(kind: type[Settings]) -> list[tuple[str, str, object]]:
    """Return name, meaning and default of each setting."""
    defaults = kind()
    return [(PREFIX + field.upper(), _meaning(hint), getattr(defaults, field)) for field, hint in _hints(kind).items()]


def _hints(kind: type[Settings]) -> dict[str, object]:
    """Return the annotations of all fields, in the order in which they are listed."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: hints[name] for name in dict.fromkeys([*kind.LISTED, *(each.name for each in fields(kind))])}


def _extra(hint: object) -> Mapping[str, Callable[[str], object]]:
    found: dict[str, Callable[[str], object]] = {}
    for meta in _metas(hint):
        found |= meta.extra or {}
    return found


def _metas(hint: object) -> tuple[Meta, ...]:
    metas: tuple[Meta, ...] = get_args(hint)[1:]  # Of an Annotated, which each is.
    return metas


def _field(name: str, hints: Mapping[str, object]) -> str:
    """Return the field that a variable is of; its file's, if it is of a secret."""
    field = name.removeprefix(PREFIX).lower()
    own = field.removesuffix("_file")
    return own if own in hints and "shown" in _extra(hints[own]) else field


def _text(name: str, given: str, hint: object) -> str:
    if hint is None or "shown" not in _extra(hint):
        return given
    return _secret(name, given) if name.lower().endswith("_file") else given.strip()


def _value(name: str, text: str, hint: object) -> object:
    try:
        value: object = msgspec.convert(text, hint, strict=False)
        if check := _extra(hint).get("check"):
            check(text)
    except ValueError:  # msgspec.ValidationError is one.
        raise CannotStart(f"{name} must be: {_meaning(hint)}.") from None
    return value


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


def _meaning(hint: object) -> str:
    metas = _metas(hint)
    says = [meta.description for meta in metas if meta.description]
    bounds = [f"{meta.ge} to {meta.le}" for meta in metas if meta.ge is not None]
    return ", ".join([*says, *bounds])


def _same(value: object) -> object:
    return value
