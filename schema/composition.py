"""How an id that is no term is read as one that is: by closed lists, and what is taken away is stored nowhere."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from . import limits
from .event import Kind

_CATALOGUE = Path(__file__).parent / "catalogue"
_MARKS = str.maketrans("._:/@+~", "-------")
_PART_WORDS = 5  # Of the longest part of an id.
ARN = re.compile(
    r"(?:bedrock-(?:converse-)?)?arn-aws(?:-us-gov|-cn)?-bedrock-(?:us|eu|ap|ca|sa|me|af|il|mx|cn)(?:-gov)?"
    r"-(?:north|south|east|west|central)(?:east|west)?-[1-9](?:-[0-9]{12})?-(?:foundation-model|inference-profile)-"
)
# Parts with numbers, by kind: before an id beside prefixes.txt, behind it beside suffixes.txt.
HEADS = re.compile(
    r"(?P<region>(?:us|eu|europe|ap|asia|ca|sa|me|af|il|mx|cn)(?:-gov)?"
    r"-(?:north|south|east|west|central)(?:east|west)?-?[1-9])"
    r"|(?P<commitment>[16]-month-commitment)"
    r"|(?P<picture>(?:(?:auto|low|medium|high|xhigh|max|standard|hd)-)?"
    r"(?:256|512|768|1024|1080|1152|1280|1344|1440|1536|1792|1920|2048|2160|2560|3840|max)-x-"
    r"(?:256|512|768|1024|1080|1152|1280|1344|1440|1536|1792|1920|2048|2160|2560|3840|max))"
)
TAILS = re.compile(
    r"(?P<date>20(?:2[2-9]|3[0-5])-?(?:0[1-9]|1[0-2])(?:-?(?:0[1-9]|[12][0-9]|3[01])(?:-v[1-9])?)?"
    r"|(?:2[2-9]|3[0-5])(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])?"
    r"|(?:0[1-9]|1[0-2])-?(?:(?:0[1-9]|[12][0-9]|3[01])|20(?:2[2-9]|3[0-5])))"
    r"|(?P<version>v[1-9]-[0-9]|00[1-9])"
    r"|(?P<context>(?:4|8|16|18|20|24|28|32|48|64|96|100|128|200|256|262|300|400|512)k|[12]m)"
    r"|(?P<budget>1024|2048|4096|8192|16384|32000|32768|64000|65536|128000|262144)"
)


@cache
def shipped(name: str) -> tuple[str, ...]:
    """Return the lines of a list of the catalogue."""
    return tuple((_CATALOGUE / f"{name}.txt").read_text("ascii").splitlines())


def form_of(term: str) -> str:
    """Return the words and numbers of a term, which neither case nor the marks between them change."""
    name = term.removeprefix("~").removeprefix("@").lower()  # OpenRouter's and Cloudflare's; no other mark begins one.
    return name.translate(_MARKS).replace("--", "-") if term.isascii() else ""


@cache
def aliases(kind: Kind) -> Mapping[str, str]:
    """Return the forms of other names of shipped terms, each with the form of its term."""
    rows = (line.split(" ") for line in shipped("aliases"))
    return {form_of(alias): form_of(term) for name, alias, term in rows if name == kind.name.lower()}


@cache
def heads() -> Mapping[str, str]:
    """Return what may stand before an id: routers, clouds, makers; each once, so each is a kind of its own."""
    names = (*shipped("prefixes"), *shipped("providers"), *aliases(Kind.PROVIDER))
    return {form_of(name): form_of(name) for name in names}


@cache
def tails() -> Mapping[str, str]:
    """Return the words that may stand behind an id, each with its kind: an id has one of each kind at most."""
    rows = (line.split(" ") for line in shipped("suffixes"))
    return {form_of(word): kind for kind, word in rows}


def bases(form: str) -> Iterator[str]:
    """Yield what is left of an id without such parts: the least taken away first, what is before it first."""
    words = ARN.sub("", form, 1).split("-")
    starts, ends = _cuts(words, heads(), HEADS, 1), _cuts(words[::-1], tails(), TAILS, -1)
    for taken in range(len(starts) + len(ends) - 1):
        for behind in range(max(0, taken - len(starts) + 1), min(taken, len(ends) - 1) + 1):
            yield "-".join(words[starts[taken - behind] : len(words) - ends[behind]])


def _cuts(words: list[str], parts: Mapping[str, str], numbers: re.Pattern[str], step: int) -> list[int]:
    """Return how many words may be taken away: the fewest parts first, no kind of part twice."""
    cuts: dict[int, frozenset[str]] = {0: frozenset()}  # With the kinds that were taken.
    reached = [0]
    for _ in range(limits.SPELLING_PARTS_MAX):
        starts, reached = reached, []
        for start in starts:
            for end in range(start + 1, min(start + _PART_WORDS, len(words)) + 1):
                part = "-".join(words[start:end][::step])
                found = numbers.fullmatch(part)
                kind = parts.get(part) or (found and found.lastgroup)
                if kind and kind not in cuts[start] and end not in cuts:
                    cuts[end] = cuts[start] | {kind}
                    reached.append(end)
    return list(cuts)
