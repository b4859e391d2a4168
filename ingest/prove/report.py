"""Reports of a summary: JSON for machines, JUnit XML for CI, Markdown and HTML to be signed."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from xml.sax.saxutils import quoteattr

import msgspec

from ingest.prove.canaries import FORMS
from ingest.prove.run import Outcome, Run
from ingest.prove.summary import FamilySum, PlaceSum, Summary

_PAGE_LINES_MAX = 40  # Finds and faults that fit on one page.
_COLUMNS = ("family", "cases", "refused", "ignored", "accepted", "no answer", "faults")
_SAYS = (
    "Every case is one HTTP request with a canary of its own: a random word made for this run. Refused: "
    "answered with a 4xx problem that names rules and no value. Ignored: the canary was in a part of the request "
    "that the contract does not have, and the rest was stored without it. Accepted: good batches, which must be "
    "stored. Every response and every place below was searched for every canary, in "
    f"{len(FORMS)} encodings. Family erasure: words of a tenant that were stored, found, erased with a receipt and "
    "searched for again; the places of erased words are those of that second search."
)
_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#1a1a1a}"
    "table{border-collapse:collapse}td,th{padding:.15em .7em;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}code{font-size:12px;word-break:break-all}"
    ".pass{color:#06692e}.fail{color:#a40000}.sign td{height:2.5em;width:16em;vertical-align:bottom}"
    "@media print{body{margin:0;font-size:11px}}"
)


def write(summary: Summary, run: Run, folder: Path) -> None:
    """Write report.json, report.junit.xml, report.md and report.html."""
    folder.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(summary), indent=2)
    (folder / "report.json").write_bytes(encoded + b"\n")
    (folder / "report.junit.xml").write_text(junit(summary, run.outcomes), "utf-8")
    (folder / "report.md").write_text(markdown(summary), "utf-8")
    (folder / "report.html").write_text(html(summary), "utf-8")


def junit(summary: Summary, outcomes: list[Outcome]) -> str:
    """Return a suite for each family and one for the places."""
    bad = sum(_is_bad(place) for place in summary.places) + bool(summary.policy_faults)
    faults = bad + sum(one.faults for one in summary.families)
    tests = summary.cases_sent + len(summary.places) + 1
    head = f'<testsuites name="nocontent prove" tests="{tests}" failures="{faults}" time="{summary.duration_s}">'
    lines = ['<?xml version="1.0" encoding="utf-8"?>', head]
    for family in summary.families:
        lines.append(f'<testsuite name="{family.family}" tests="{family.cases}" failures="{family.faults}">')
        lines += [_testcase(one) for one in outcomes if one.planned.family == family.family]
        lines.append("</testsuite>")
    lines.append(f'<testsuite name="places" tests="{len(summary.places) + 1}" failures="{bad}">')
    said = "; ".join(summary.policy_faults)
    failure = f"<failure message={quoteattr(said)}/>" if said else ""
    lines.append(f'<testcase classname="places" name="policy">{failure}</testcase>')
    for place in summary.places:
        failure = f"<failure message={quoteattr('; '.join(place.finds))}/>" if _is_bad(place) else ""
        lines.append(f'<testcase classname="places" name={quoteattr(place.place)}>{failure}</testcase>')
    return "\n".join([*lines, "</testsuite>", "</testsuites>", ""])


def _testcase(outcome: Outcome) -> str:
    family, case = outcome.planned
    failure = f"<failure message={quoteattr(outcome.fault)}/>" if outcome.fault else ""
    return f'<testcase classname="{family}" name={quoteattr(case.name)}>{failure}</testcase>'


def _is_bad(place: PlaceSum) -> bool:
    return place.is_gated and bool(place.finds)


def markdown(summary: Summary) -> str:
    """Return the page as Markdown."""
    lines = ["# Proof that content is refused", "", f"**Verdict: {summary.verdict.upper()}**", "", _SAYS, ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | `{value}` |" for name, value in _facts(summary)), ""]
    lines += [f"| {' | '.join(_COLUMNS)} |", f"|---|{'---:|' * (len(_COLUMNS) - 1)}"]
    lines += [f"| {' | '.join(row)} |" for row in _rows(summary)]
    lines += ["", "| searched | bytes | finds | unread |", "|---|---:|---:|---:|"]
    lines += [f"| {' | '.join(row)} |" for row in _places(summary)]
    lines += ["", *(f"- {_plain(line)}" for line in _bad_lines(summary)), ""]
    return "\n".join([*lines, "| signed | name | date |", "|---|---|---|", "| | | |", ""])


def html(summary: Summary) -> str:
    """Return the page as HTML, to be printed and signed."""
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Proof</title><style>{_STYLE}</style>",
        f"<h1>Proof that content is refused: <span class={summary.verdict}>{summary.verdict.upper()}</span></h1>",
        f"<p>{_SAYS}</p>",
        _table(((name, f"<code>{escape(value)}</code>") for name, value in _facts(summary)), ()),
        _table(_rows(summary), _COLUMNS),
        _table(_places(summary), ("searched", "bytes", "finds", "unread")),
        "".join(f"<p class=fail>{escape(line)}</p>" for line in _bad_lines(summary)),
        "<table class=sign><tr><th>signed<th>name<th>date<tr><td><td><td></table></html>",
    ]
    return "\n".join(parts) + "\n"


def _table(rows: Iterator[tuple[str, ...]], columns: tuple[str, ...]) -> str:
    head = f"<tr>{''.join(f'<th>{column}' for column in columns)}" if columns else ""
    return f"<table>{head}{''.join('<tr>' + ''.join(f'<td>{cell}' for cell in row) for row in rows)}</table>"


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    yield "run", f"{summary.started_at}, {summary.duration_s} s, seed {summary.seed}"
    yield "service", f"{summary.url_host}, version {summary.version}"
    yield "policy", summary.policy_digest
    yield "cases", f"{summary.cases_sent:,} sent of {summary.cases_planned:,} planned"
    yield "case list, SHA-256", summary.cases_sha256
    yield "canaries begin with", summary.marker
    for line in summary.skipped:
        yield "skipped", line


def _rows(summary: Summary) -> Iterator[tuple[str, ...]]:
    for one in (*summary.families, summary.totals):
        yield (one.family, *(f"{number:,}" for number in _numbers(one)))


def _numbers(one: FamilySum) -> tuple[int, ...]:
    return one.cases, one.refused, one.ignored, one.accepted, one.unanswered, one.faults


def _places(summary: Summary) -> Iterator[tuple[str, ...]]:
    for place in summary.places:
        name = place.place if place.is_gated else f"{place.place} (not gated)"
        yield name, f"{place.bytes:,}", f"{len(place.finds):,}", f"{len(place.unread):,}"


def _bad_lines(summary: Summary) -> list[str]:
    lines = list(summary.policy_faults)
    lines += [f"{place.place}: {find}" for place in summary.places if place.is_gated for find in place.finds]
    lines += [f"{one.family}: {one.case}: {one.fault}" for one in summary.faults]
    more = [f"and {len(lines) - _PAGE_LINES_MAX:,} more: see report.json"] if len(lines) > _PAGE_LINES_MAX else []
    return lines[:_PAGE_LINES_MAX] + more


def _plain(line: str) -> str:
    return f"`{line.replace('`', chr(39))}`"
