"""Ways to write a name so that a list of names misses it."""

import re
from collections.abc import Callable, Mapping

from ingest.prove.canaries import full_width

_CYRILLIC = str.maketrans("aceiopsxy", "\u0430\u0441\u0435\u0456\u043e\u0440\u0455\u0445\u0443")
_GREEK = str.maketrans("aeiknoptuvx", "\u03b1\u03b5\u03b9\u03ba\u03b7\u03bf\u03c1\u03c4\u03c5\u03bd\u03c7")
_LEET = str.maketrans("aeiost", "431057")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest) if rest else f"user{first.capitalize()}"


def _inside(letter: str) -> Callable[[str], str]:
    return lambda name: name[:2] + letter + name[2:]


def _shifted(first: int) -> Callable[[str], str]:
    """Map letters to another Unicode alphabet, which starts at a code point."""
    return lambda name: "".join(chr(first + ord(letter) - ord("a")) if letter.islower() else letter for letter in name)


LOOKALIKES: Mapping[str, Callable[[str], str]] = {
    "camel": _camel,
    "pascal": lambda name: name.title().replace("_", "") + "Text",
    "snake": lambda name: f"user_{name}",
    "kebab": lambda name: f"user-{name}".replace("_", "-"),
    "dotted": lambda name: f"gen_ai.{name}".replace("_", "."),
    "path": lambda name: f"/request/{name}",
    "bracketed": lambda name: f"{name}[0]",
    "upper": str.upper,
    "capitalised": str.capitalize,
    "alternating": lambda name: re.sub("(.)(.)", lambda two: two[1] + two[2].upper(), name),
    "plural": lambda name: f"{name}s",
    "singular": lambda name: name[:-1],
    "squeezed": lambda name: name.replace("_", "") + "v",
    "without vowels": lambda name: re.sub("[aeiou]", "", name) + "_",
    "doubled letter": lambda name: name[:1] + name,
    "leet": lambda name: name.translate(_LEET) + "1",
    "reversed": lambda name: name[::-1],
    "x-": lambda name: f"x-{name}",
    "underscored": lambda name: f"_{name}",
    "dunder": lambda name: f"__{name}__",
    "dollar": lambda name: f"${name}",
    "at": lambda name: f"@{name}",
    "numbered": lambda name: f"{name}_1",
    "space before": lambda name: f" {name}",
    "space after": lambda name: f"{name} ",
    "tab": lambda name: f"{name}\t",
    "newline": lambda name: f"{name}\n",
    "nul": lambda name: f"{name}\0",
    "colon": lambda name: f"{name}:",
    "cyrillic": lambda name: name.translate(_CYRILLIC),
    "greek": lambda name: name.translate(_GREEK),
    "full width": full_width,
    "mathematical bold": _shifted(0x1D41A),
    "circled": _shifted(0x24D0),
    "tag letters": _shifted(0xE0061),
    "combining accent": _inside("\u0301"),
    "zero-width space": _inside("\u200b"),
    "zero-width joiner": _inside("\u200d"),
    "word joiner": _inside("\u2060"),
    "soft hyphen": _inside("\u00ad"),
    "byte order mark": lambda name: f"\ufeff{name}",
    "no-break space": lambda name: f"{name}\u00a0",
    "right to left": lambda name: f"\u202e{name[::-1]}\u202c",
    "dotless i": lambda name: name.replace("i", "\u0131") + "\u0307",
    "variation selector": _inside("\ufe0f"),
}
