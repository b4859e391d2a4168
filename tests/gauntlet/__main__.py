"""Print the table of docs/proof.md; with `--show CLASS`, which terms of a class passed and why others did not."""

import sys

from schema.gauntlet import fault
from tests.gauntlet.corpus import Class, classes
from tests.gauntlet.measure import Measure, measure, total


def main(arguments: list[str]) -> None:
    everything = classes()
    if arguments[:1] == ["--show"]:
        for one in everything:
            if one.name in arguments[1:]:
                _show(one)
        return
    print("| | class | terms | pass | second half | barred by |\n|---|---|---:|---:|---:|---|")
    for group in ("real", "made", "keys"):
        measures = {one.name: measure(one) for one in everything if one.group == group}
        for name, found in measures.items():
            _row(group, name.replace("_", " "), found)
        _row(f"**{group}**", "**in all**", total(measures.values()))


def _row(group: str, name: str, found: Measure) -> None:
    rules = ", ".join(f"`{rule}` {count}" for rule, count in found.rules.most_common(4))
    print(f"| {group} | {name} | {found.trials:,} | {found.rate:.1%} | {found.second_half_rate:.1%} | {rules} |")


def _show(one: Class) -> None:
    for term in one.terms:
        for kind in one.kinds:
            print(f"{fault(kind, term) or 'passed':24} {kind.name.lower():14} {term}")


main(sys.argv[1:])
