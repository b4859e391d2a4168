"""The promised bits of an event: within the bound, printed as they are, and a TypeError for any open field."""

import re
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from ingest.__main__ import main
from ingest.knowledge import capacity
from schema import limits
from schema.event import Event

_ROOT = Path(__file__).resolve().parents[2]
_ROW = re.compile(r"^\| ([a-z`][^|]*) \|[^|]*\| ([−0-9.]+) \|$", re.MULTILINE)


def test_an_event_holds_no_more_than_its_bound() -> None:
    assert capacity.total(capacity.of_event()) <= limits.EVENT_BITS_MAX


def test_every_field_has_a_figure() -> None:
    held = [field for field, _ in capacity.of_event()]
    assert held[: len(Event.__struct_fields__)] == list(Event.__struct_fields__)


_OPEN = {
    "a string": str,
    "a string of some length": Annotated[str, Meta(max_length=8)],
    "a string of a pattern": Annotated[str, Meta(pattern="^[a-z]+$")],
    "a number": int,
    "a number bounded below": Annotated[int, Meta(ge=0)],
    "a number bounded above": Annotated[int, Meta(le=9)],
    "a fraction": float,
    "an object": dict,
    "an object of strings": dict[str, str],
    "a list": list[int],
    "bytes": bytes,
    "anything": msgspec.Raw,
    "a string or null": str | None,
}


@pytest.mark.parametrize("what", _OPEN)
def test_an_open_field_has_no_figure(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "Event", _with(_OPEN[what]))
    with pytest.raises(TypeError, match="no bound"):
        capacity.of_event()


@pytest.mark.parametrize("bits", [6, 32, 53])
def test_a_field_that_breaks_the_bound_is_counted(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before = capacity.total(capacity.of_event())
    monkeypatch.setattr(capacity, "Event", _with(Annotated[int, Meta(ge=0, le=2**bits - 1)]))
    after = capacity.total(capacity.of_event())
    assert after == pytest.approx(before + bits)
    assert after > limits.EVENT_BITS_MAX


def _with(kind: object) -> type[msgspec.Struct]:
    """Return the fields of an event and one more."""
    fields = [(field.name, field.type) for field in msgspec.structs.fields(Event)]
    return msgspec.defstruct("Event", [*fields, ("more", kind)])


@pytest.mark.parametrize("most", [0, 9, 999, 1_000, 1_001, 9_999, 10_000, 12_345, 99_999, 123_456])
def test_integers_of_three_digits_are_counted_as_they_are(most: int) -> None:
    kept = [n for n in range(most + 1) if n < 1_000 or n % 10 ** (len(str(n)) - 3) == 0]
    kind = msgspec.inspect.type_info(Annotated[int, Meta(ge=0, le=most, extra={"digits": 3})])
    assert 2 ** capacity._bits(kind, 30) == pytest.approx(len(kept))  # noqa: SLF001 (what `of_event` asks)


@pytest.mark.parametrize(
    ("heading", "held", "bound"),
    [
        ("What one event can hold", capacity.of_event(), limits.EVENT_BITS_MAX),
        ("What the ledger holds of a batch", capacity.of_batch(), limits.BATCH_BITS_MAX),
    ],
)
def test_the_documented_table_is_the_computed_one(heading: str, held: list[capacity.FieldBits], bound: int) -> None:
    text = (_ROOT / "docs/policy.md").read_text("utf-8")
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    documented = {name.replace("`", ""): float(bits.replace("−", "-")) for name, bits in _ROW.findall(section)}
    assert documented == {field: round(bits, 1) for field, bits in held}
    assert f"**{capacity.total(held):.1f}**" in section
    assert f"is {bound}" in section
    assert capacity.total(held) <= bound


def test_the_readme_says_the_same() -> None:
    bits = capacity.total(capacity.of_event())
    assert f"{bits:.1f} bits ({bits / 8:.1f} bytes)" in (_ROOT / "README.md").read_text("utf-8")


def test_the_command_prints_the_total(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "--capacity"]) == 0
    for part, held, bound in zip(
        capsys.readouterr().out.split("\n\n"),
        (capacity.of_event(), capacity.of_batch()),
        (limits.EVENT_BITS_MAX, limits.BATCH_BITS_MAX),
        strict=True,
    ):
        *fields, total = part.splitlines()
        assert len(fields) == len(held)
        assert f"{capacity.total(held):.1f}" in total
        assert str(bound) in total
