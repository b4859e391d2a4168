"""The tables of docs/routing.md, from bench/results/classifier.json and routing.json."""

from collections.abc import Callable, Iterator, Mapping

from bench import results
from bench.classifier.curves import Labels, Routing
from bench.classifier.figures import Figures

_SHORT = {"question_answering": "question", "code_explanation": "explain", "code_generation": "code"}


def _classifier() -> Iterator[str]:
    found = results.read("classifier", Figures)
    yield (
        f"`make classifier-check` at {found.commit}, Python {found.python}: {found.prompts:,} prompts of"
        f" {found.templates} templates, {found.weights_bytes:,} bytes of weights, temperature {found.temperature:g}.\n"
    )
    yield "| | |\n|---|---:|"
    yield f"| macro-F1 | {found.macro_f1:.3f} |"
    yield f"| accuracy | {found.accuracy:.3f} |"
    yield f"| expected calibration error, 15 bins | {found.ece:.3f} |"
    yield f"| the same without the temperature | {found.ece_raw:.3f} |"
    for speed in found.speed:
        yield f"| µs for {speed.bytes:,} bytes, best of many, one core | {speed.us:,.0f} |"
    yield "\n| category | prompts | precision | recall | F1 |\n|---|---:|---:|---:|---:|"
    for name, each in found.categories.items():
        yield f"| `{name}` | {each.prompts} | {each.precision:.2f} | {each.recall:.2f} | {each.f1:.2f} |"


def _confusion() -> Iterator[str]:
    found = results.read("classifier", Figures)
    names = list(found.confusion)
    yield "| meant, % labelled as | " + " | ".join(_short(name) for name in names) + " |"
    yield "|---|" + "---:|" * len(names)
    for meant, got in found.confusion.items():
        total = sum(got.values())
        cells = (100 * got.get(name, 0) / total for name in names)
        yield f"| {_short(meant)} | " + " | ".join(f"{cell:.0f}" if cell >= 1 else "" for cell in cells) + " |"


def _short(name: str) -> str:
    return _SHORT.get(name, name.split("_", maxsplit=1)[0])


def _thresholds() -> Iterator[str]:
    yield "| confidence, permille | share of prompts that reach it | of these right |\n|---:|---:|---:|"
    for each in results.read("classifier", Figures).thresholds:
        yield f"| {each.permille} | {each.coverage:.1%} | {each.accuracy:.1%} |"


def _robustness() -> Iterator[str]:
    found = results.read("classifier", Figures)
    yield "| | same label | macro-F1 |\n|---|---:|---:|"
    yield f"| as written | | {found.macro_f1:.3f} |"
    for name, each in found.robustness.items():
        yield f"| {name} | {each.unchanged:.1%} | {each.macro_f1:.3f} |"


def _public() -> Iterator[str]:
    yield "| set | prompts | right | mean confidence | ECE | reach 700 | of these right |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name, each in results.read("classifier", Figures).public.items():
        yield (
            f"| {name} | {each.prompts:,} | {each.accuracy:.1%} | {each.confidence:.2f} | {each.ece:.2f}"
            f" | {each.covered:.0%} | {each.accuracy_covered:.1%} |"
        )


def _labels() -> Iterator[str]:
    found = results.read("routing", Labels)
    yield f"At {found.commit}: `{found.weak}` and `{found.strong}` on {found.subjects} subjects.\n"
    for name, split in found.splits.items():
        yield (
            f"**{name.capitalize()}**: {split.prompts:,} prompts; the weak model is right on {split.weak:.1%}, the"
            f" strong one on {split.strong:.1%}, one of the two on {split.either:.1%}. Of random orders 95 % have an"
            f" APGR between {split.chance_low:.3f} and {split.chance_high:.3f}.\n"
        )
        yield "| router | APGR | CPT50 | CPT80 | calls for equal quality | cost |\n|---|---:|---:|---:|---:|---:|"
        yield "| the strong model alone | | | | 100.0% | 100.0% |"
        for router, each in split.routers.items():
            yield (
                f"| {router} | {each.apgr:.3f} | {each.cpt50:.1%} | {each.cpt80:.1%} | {each.equal:.1%}"
                f" | {each.cost:.1%} |"
            )
        yield f"\n{_verdict(split)}\n"


def _verdict(split: Routing) -> str:
    """Return the sentence about what our categories are worth, whichever way it came out."""
    ours = split.routers["our categories"].apgr
    if ours <= split.chance_high:
        return f"**A table per category is no better than chance here** ({ours:.3f})."
    return f"A table per category is better than chance here ({ours:.3f} against {split.chance_high:.3f})."


TABLES: Mapping[str, Callable[[], Iterator[str]]] = {
    "classifier": _classifier,
    "confusion": _confusion,
    "thresholds": _thresholds,
    "robustness": _robustness,
    "public": _public,
    "labels": _labels,
}
