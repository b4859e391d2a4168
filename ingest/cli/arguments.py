"""The parser of the command line."""

import argparse
import re
from typing import NoReturn

Subparsers = argparse._SubParsersAction  # noqa: SLF001 (argparse gives this type no public name)
_COMPLAINT = re.compile(
    r"(?P<argument>argument [^:]+: )?(?P<what>invalid choice|invalid [a-z_]+ value|unrecognized arguments"
    r"|ambiguous option|ignored explicit argument)"
)


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments and never quotes one: a key may have been pasted in its place."""

    def error(self, message: str) -> NoReturn:
        """Print usage and the complaint, without its value, and end with status 2."""
        if known := _COMPLAINT.match(message):
            _, choose, choices = message.partition("(choose from ")
            message = f"{known['argument'] or ''}{known['what'].replace(' _span', '')} {choose}{choices}".rstrip()
        super().error(message)
