"""Spellings: an unregistered id stands for a term once prefixes and suffixes of closed lists are removed."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from . import limits
from .event import Kind

_LOWER_DASHED = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ._:/@+~", b"abcdefghijklmnopqrstuvwxyz-------")
_PART_WORDS = 5  # In the longest prefix or suffix.
ARN = re.compile(
    r"(?:bedrock-(?:converse-)?)?arn-aws(?:-us-gov|-cn)?-bedrock-(?:us|eu|ap|ca|sa|me|af|il|mx|cn)(?:-gov)?"
    r"-(?:north|south|east|west|central)(?:east|west)?-[1-9](?:-[0-9]{12})?-(?:foundation-model|inference-profile)-"
)
# Prefixes and suffixes that contain numbers, by kind; prefixes.txt and suffixes.txt list the others.
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
    """Return the lines of one of the catalogue's lists."""
    return tuple((Path(__file__).parent / f"catalogue/{name}.txt").read_text("ascii").splitlines())


def form_of(term: str) -> str:
    """Return a term's words and numbers in lower case, joined by single dashes."""
    name = term.removeprefix("~").removeprefix("@")  # OpenRouter's and Cloudflare's.
    # As bytes, because strings take six times as long.
    return name.encode().translate(_LOWER_DASHED).decode().replace("--", "-") if term.isascii() else ""


@cache
def aliases(kind: Kind) -> Mapping[str, str]:
    """Map the form of each alias of a shipped term to the form of that term."""
    rows = (line.split(" ") for line in shipped("aliases"))
    return {form_of(alias): form_of(term) for name, alias, term in rows if name == kind.name.lower()}


@cache
def heads() -> Mapping[str, str]:
    """Return the prefixes an id may have (routers, clouds, makers), each its own kind, since each may occur once."""
    names = (*shipped("prefixes"), *shipped("providers"), *aliases(Kind.PROVIDER))
    return {form_of(name): form_of(name) for name in names}


@cache
def tails() -> Mapping[str, str]:
    """Map each suffix an id may have to its kind; an id has at most one of each kind."""
    rows = (line.split(" ") for line in shipped("suffixes"))
    return {form_of(word): kind for kind, word in rows}


def bases(form: str) -> Iterator[str]:
    """Yield an id without some of its prefixes and suffixes: fewest removed first, and of equals, prefixes first."""
    words = ARN.sub("", form, 1).split("-")
    starts, ends = _cuts(words, heads(), HEADS, 1), _cuts(words[::-1], tails(), TAILS, -1)
    for taken in range(len(starts) + len(ends) - 1):
        for behind in range(max(0, taken - len(starts) + 1), min(taken, len(ends) - 1) + 1):
            yield "-".join(words[starts[taken - behind] : len(words) - ends[behind]])


def _cuts(words: list[str], parts: Mapping[str, str], numbers: re.Pattern[str], step: int) -> list[int]:
    """Return the numbers of words that can be removed, fewest parts first, with no kind of part removed twice."""
    cuts: dict[int, frozenset[str]] = {0: frozenset()}  # With the kinds that were removed.
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
