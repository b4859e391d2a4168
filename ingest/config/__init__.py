"""Settings: read once from the environment; an unknown name, a bad value or a bad combination stops the start.

A variable is named NOCONTENT_ and the field in capitals; with _FILE appended it names a file that holds the secret.
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
COUNTS_PREFIX = "nocontent-metrics-"  # Followed by the parent's process id and a random part.
_PORT_MAX = 65_535
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_SECRET_BYTES_MAX = 65_536
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # UTF-32-LE's begins with the first.


def address(bind: str) -> tuple[str, int]:
    """Return host, without brackets, and port, or raise ValueError."""
    host, _, port = bind.rpartition(":")
    if not 0 < int(port) <= _PORT_MAX:
        raise ValueError
    if host.startswith("["):
        return str(ipaddress.IPv6Address(host[1:-1])), int(port)
    # Hypercorn reads `unix:` as the prefix of a socket's path.
    if host == "unix" or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise ValueError
    return host, int(port)


Address = Annotated[str, Meta(pattern=r"\A(\[[^\[\]\s]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}\Z", extra={"check": address})]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Values that may differ between deployments: a package declares its own, and a process combines those it needs.

    `Meta.extra` of a field may have `check`, which raises ValueError, and `shown`, which returns the text that may be
    printed. A field with `shown` is a secret, and may be read from a file.
    """

    LISTED: ClassVar[tuple[str, ...]] = ()  # Fields to list first, in this order.

    def __post_init__(self) -> None:
        """Raise CannotStart if fields contradict each other; a package that does calls the next one's too."""


Kind = TypeVar("Kind", bound=Settings)


def load(kind: type[Kind], environ: Mapping[str, str] | None = None) -> Kind:
    """Read all settings; raise CannotStart, which names the variable and never its value, if one is unknown or bad."""
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
            raise CannotStart(f"{name} is not a setting. Known: {', '.join(PREFIX + each.upper() for each in known)}.")
        if field in values:
            raise CannotStart(f"{PREFIX}{field.upper()} and {PREFIX}{field.upper()}_FILE are both set: unset one.")
        if not text.isprintable():
            raise CannotStart(f"{name} has a line break, or another character that cannot be printed.")
        values[field] = _value(name, text, hints[field])
    return kind(**values)


def load_own(kind: type[Kind]) -> Kind:
    """Read the settings of one package and ignore all others, which the parent process has checked."""
    hints = _hints(kind)
    return load(kind, {name: text for name, text in os.environ.items() if _field(name, hints) in hints})


def masked(settings: Settings) -> dict[str, object]:
    """Return the settings for printing, with secrets masked."""
    hints = _hints(type(settings))
    values = {field: getattr(settings, field) for field in hints}
    return {field: _extra(hints[field]).get("shown", _same)(value) for field, value in values.items()}


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment for a child process with these settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    fields = dataclasses.asdict(settings).items()
    return own | {PREFIX + name.upper(): str(value) for name, value in fields if value not in {"", None}}


def export(name: str, value: str) -> None:
    """Set a variable that a library reads, such as PROMETHEUS_MULTIPROC_DIR, for this process and its children."""
    os.environ[name] = value


def forget(name: str) -> None:
    """Unset a variable by which a library would print what it should not, for this process and its children."""
    os.environ.pop(name, None)


def forget_counts_of_others() -> None:
    """Unset the folder for counts unless this process's parent has set it: an operator may have named another."""
    own = f"{COUNTS_PREFIX}{os.getppid()}-"
    for name in ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"):
        if not Path(os.environ.get(name, "")).name.startswith(own):
            os.environ.pop(name, None)


def counts_folder() -> Path | None:
    """Return the folder for this worker's counts, or None outside a worker."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(folder) if folder else None


def describe(kind: type[Settings]) -> list[tuple[str, str, object]]:
    """Return name, description and default of each setting."""
    defaults = kind()
    return [(PREFIX + field.upper(), _meaning(hint), getattr(defaults, field)) for field, hint in _hints(kind).items()]


def _hints(kind: type[Settings]) -> dict[str, object]:
    """Return the annotations of all fields, in the order of listing."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: hints[name] for name in dict.fromkeys([*kind.LISTED, *(each.name for each in fields(kind))])}


def _extra(hint: object) -> Mapping[str, Callable[[str], object]]:
    found: dict[str, Callable[[str], object]] = {}
    for meta in _metas(hint):
        found |= meta.extra or {}
    return found


def _metas(hint: object) -> tuple[Meta, ...]:
    metas: tuple[Meta, ...] = get_args(hint)[1:]  # Every hint is an Annotated.
    return metas


def _field(name: str, hints: Mapping[str, object]) -> str:
    """Return the field that a variable sets, by itself or, for a secret, by a file."""
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
    """Read one line of ASCII, without the white space and the BOM that editors and shells leave around it."""
    try:
        with Path(path).open("rb") as file:
            found = file.read(_SECRET_BYTES_MAX + 1)
    except (OSError, ValueError):  # ValueError: a NUL in the name.
        raise CannotStart(f"{name} names a file that cannot be read.") from None
    if found.startswith(_WIDE_BOMS) or b"\0" in found:
        raise CannotStart(f"{name} names a file that is not ASCII text: it is UTF-16 or contains a NUL.")
    found = found.removeprefix(codecs.BOM_UTF8).strip()
    if not found:
        raise CannotStart(f"{name} names a file that is empty.")
    if len(found) > _SECRET_BYTES_MAX:
        raise CannotStart(f"{name} names a file that is too long.")
    if not found.isascii() or len(found.splitlines()) > 1:
        raise CannotStart(f"{name} names a file that is not one line of ASCII: percent-encode other characters.")
    return found.decode("ascii")


def _meaning(hint: object) -> str:
    metas = _metas(hint)
    texts = [meta.description for meta in metas if meta.description]
    bounds = [f"{meta.ge} to {meta.le}" for meta in metas if meta.ge is not None]
    return ", ".join([*texts, *bounds])


def _same(value: object) -> object:
    return value
