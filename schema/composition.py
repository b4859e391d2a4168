"""How an id that is no term is read as one that is: by closed lists, and what is taken away is stored nowhere."""

import re
from collections.abc import Callable, Iterable, Mapping
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
_HEAD = re.compile(rf"(?:{HEADS.pattern})-")
_DIGITS, _LITERAL = "0123456789", re.compile(r"(?<![<a-z])[a-z]+(?![>a-z])")
_NUMBER_BEGINS, _NUMBER_ENDS = frozenset(f"{_DIGITS}v"), frozenset(f"{_DIGITS}km")  # Of each word of TAILS.


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


_Part = tuple[int, str]  # Where what is left begins or ends, and the kind of what was taken away.


@cache
def _listed_heads() -> Mapping[str, list[tuple[str, str]]]:
    """Return the listed parts before an id, each with the mark behind it and its kind, by their first word."""
    return _grouped((part.split("-")[0], f"{part}-", kind) for part, kind in heads().items())


@cache
def _listed_tails() -> Mapping[str, list[tuple[str, str]]]:
    """Return the listed parts behind an id, each with the mark before it and its kind, by their last word."""
    return _grouped((part.split("-")[-1], f"-{part}", kind) for part, kind in tails().items())


def _grouped(rows: Iterable[tuple[str, str, str]]) -> Mapping[str, list[tuple[str, str]]]:
    grouped: dict[str, list[tuple[str, str]]] = {}
    for word, part, kind in sorted(rows, key=lambda row: len(row[1])):
        grouped.setdefault(word, []).append((part, kind))
    return grouped


@cache
def _words_of_parts() -> frozenset[str]:
    """Return every word that a part has, the numbers at its end left out."""
    written = "-".join((*heads(), *tails(), *_LITERAL.findall(ARN.pattern + HEADS.pattern + TAILS.pattern)))
    sides = {f"{side}{other}" for side in ("north", "south", "east", "west", "central") for other in ("east", "west")}
    return frozenset(word.rstrip(_DIGITS) for word in written.split("-")) | sides


def is_strange(word: str) -> bool:
    """Whether no part has a word: then it is a term's, or there is no term in the id."""
    return word[:1] not in _DIGITS and word.rstrip(_DIGITS) not in _words_of_parts()


def bases(form: str) -> list[str]:
    """Return what is left of an id without such parts: the least taken away first, what is before it first."""
    marked = f"-{ARN.sub('', form, 1) if 'arn-aws' in form else form}-"
    starts, ends = _cuts(marked, 1, _heads_at), _cuts(marked, len(marked) - 1, _tails_at)
    return [
        marked[starts[taken - behind] : ends[behind]]
        for taken in range(len(starts) + len(ends) - 1)
        for behind in range(max(0, taken - len(starts) + 1), min(taken, len(ends) - 1) + 1)
    ]


def _cuts(marked: str, outermost: int, parts_at: Callable[[str, int], list[_Part]]) -> list[int]:
    """Return where what is left may begin, or end: the fewest parts taken away first, no kind of part twice."""
    cuts: dict[int, tuple[str, ...]] = {outermost: ()}  # With the kinds that were taken.
    reached = [outermost]
    for _ in range(limits.SPELLING_PARTS_MAX):
        froms, reached = reached, []
        for place in froms:
            for cut, kind in parts_at(marked, place):
                if kind not in cuts[place] and cut not in cuts:
                    cuts[cut] = (*cuts[place], kind)
                    reached.append(cut)
        if not reached:
            break
    return list(cuts)


def _heads_at(marked: str, start: int) -> list[_Part]:
    """Return the parts that begin there, the shortest first."""
    listed = _listed_heads().get(marked[start : marked.find("-", start)], ())
    found = [(start + len(part), kind) for part, kind in listed if marked.startswith(part, start)]
    number = _HEAD.match(marked, start)
    if number and number.lastgroup and all(cut != number.end() for cut, _ in found):
        return sorted([*found, (number.end(), number.lastgroup)])
    return found


def _tails_at(marked: str, end: int) -> list[_Part]:
    """Return the parts that end there, the shortest first."""
    begin = marked.rfind("-", 0, end)
    listed = _listed_tails().get(marked[begin + 1 : end], ())
    found = [(end - len(part), kind) for part, kind in listed if marked.endswith(part, 0, end)]
    if marked[end - 1] not in _NUMBER_ENDS:
        return found
    for _ in range(_PART_WORDS):
        if begin < 0 or marked[begin + 1] not in _NUMBER_BEGINS:
            break
        number = TAILS.fullmatch(marked, begin + 1, end)
        if number and number.lastgroup and all(cut != begin for cut, _ in found):
            found.append((begin, number.lastgroup))
        begin = marked.rfind("-", 0, begin)
    return sorted(found, reverse=True) if len(found) > 1 else found
