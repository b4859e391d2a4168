"""Batches at little cost: a body is made once, and only the digits of its ids are rewritten."""

import json
from collections.abc import Mapping, Sequence

from tests.support import sample

_SPREAD = 0x9E5  # Odd: neighbours in a batch are no neighbours in the order of the key.
_TIME, _NUMBER = "T", "N"  # Capitals stand for digits to come; nothing else in an event has one.
_DIGITS = 12
_HEAD = b'{"events":['
_MODELS = ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5")
_TEAMS = ("search", "assistant", "editor")


class Template:
    """A batch with events of equal length, so that one strided assignment writes a digit of all their ids.

    The last 12 digits of an event's id are the number of its batch: a row of the table tells where it came from.
    """

    def __init__(self, events: Sequence[Mapping[str, object]]) -> None:
        written = [json.dumps(event, separators=(",", ":")) for event in events]
        first = written[0]
        places = {capital: _places(first, capital) for capital in (_TIME, _NUMBER)}
        assert all(_places(each, capital) == places[capital] for each in written for capital in places)
        self.events = len(written)
        self._width = max(map(len, written)) + 1
        joined = ",".join(each.ljust(self._width - 1) for each in written)  # JSON does not mind spaces.
        self._body = bytearray(_HEAD + joined.encode("ascii") + b"]}")
        self._time_places, self._number_places = places[_TIME], places[_NUMBER]

    def stamp(self, number: int, at_ms: int) -> bytes:
        """Return the batch with a number, with events of a time."""
        self._write(self._time_places, f"{at_ms:012x}")
        self._write(self._number_places, f"{number:012x}")
        return bytes(self._body)

    def _write(self, places: Sequence[int], digits: str) -> None:
        times = len(places) // _DIGITS
        for place, digit in zip(places, digits * times, strict=True):
            start = len(_HEAD) + place
            last = start + self._width * (self.events - 1)
            self._body[start : last + 1 : self._width] = digit.encode("ascii") * self.events


def good(count: int) -> Template:
    """Make a batch of good events."""
    return Template([_event(place) for place in range(count)])


def of_unknown_models(count: int) -> Template:
    """Make a batch in which each event has a model that no earlier batch had."""
    return Template([_event(place) | {"routed_model": f"m{place:06x}-{_NUMBER * _DIGITS}"} for place in range(count)])


def _event(place: int) -> dict[str, object]:
    scrambled = place * _SPREAD & 0xFFF
    event_id = f"{_TIME * 8}-{_TIME * 4}-7{scrambled:03x}-8{place >> 12:03x}-{_NUMBER * _DIGITS}"
    return {
        "event_id": event_id,
        "routed_model": _MODELS[place % 3],
        **{name: value for name, value in sample.GOOD.items() if name != "routed_model"},
        "input_tokens": 7 * place,
        "streamed": place % 2 == 0,
        "tags": {"team": _TEAMS[place % 3]},
    }


def _places(text: str, capital: str) -> list[int]:
    return [place for place, character in enumerate(text) if character == capital]
