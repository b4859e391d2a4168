"""The parser of the command line."""

import argparse
import re
from typing import NoReturn

Subparsers = argparse._SubParsersAction  # noqa: SLF001 (argparse has no public name for this type)
_COMPLAINT = re.compile(
    r"(?P<argument>argument [^:]+: )?(?P<what>invalid choice|invalid [A-Za-z_]+ value|unrecognized arguments"
    r"|ambiguous option|ignored explicit argument)"
)

_OUR_FUNCTION = re.compile(r" _[a-z_]+")  # By whose name argparse calls what it could not read.


class Parser(argparse.ArgumentParser):
    """A parser whose errors never quote an argument, because it may be a key pasted by mistake."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error without the argument's value, and exit with status 2."""
        if known := _COMPLAINT.match(message):
            _, choose, choices = message.partition("(choose from ")
            what = _OUR_FUNCTION.sub("", known["what"])
            message = f"{known['argument'] or ''}{what} {choose}{choices}".rstrip()
        super().error(message)
