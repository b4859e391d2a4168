"""A name repeated in an object: JSON readers keep one value and silently drop the other."""

from collections.abc import Iterator
from typing import NamedTuple

from ingest.prove.case import Case, refused
from ingest.prove.kit import Kit, text


class _Twice(NamedTuple):
    where: str
    name: str
    body: bytes


def duplicate_names(kit: Kit) -> Iterator[Case]:
    for where, name, body in _places(kit):
        for what, quoted in _written(name):
            for value in ("a string", "an object", "a list"):
                for order in ("first", "second"):
                    canary = kit.canary()
                    member = quoted + b":" + _value(value, canary)
                    yield refused(f"{name} {where}, {what}, {value}, {order}", canary, _put(body, name, member, order))


def twice(body: bytes, name: str, value: str, canary: str, order: str) -> bytes:
    """Return a body with a name repeated in its object, with a canary in a value of that form."""
    return _put(body, name, text(name) + b":" + _value(value, canary), order)


def _places(kit: Kit) -> Iterator[_Twice]:
    envelope = {"stream": kit.stream(), "dropped": dict.fromkeys(kit.policy.drop_reasons, 1)}
    for name in ("events", "stream", "dropped"):
        yield _Twice("of the batch", name, kit.body(envelope=envelope))
    for name in ("id", "sequence"):
        yield _Twice("of the stream", name, kit.body(envelope=envelope))
    for name in kit.policy.drop_reasons:
        yield _Twice("of dropped", name, kit.body(envelope=envelope))
    for name in kit.policy.fields:
        yield _Twice("of an event", name, kit.body())
        yield _Twice("of the last event", name, kit.batch([{}, kit.event()]).replace(b"{},", b""))
    for name in kit.tags:
        yield _Twice("of the tags", name, kit.body())


def _written(name: str) -> Iterator[tuple[str, bytes]]:
    yield "as it is", text(name)
    yield "escaped", b'"\\u%04x' % ord(name[0]) + text(name[1:])[1:]


def _value(what: str, canary: str) -> bytes:
    return {"a string": text(canary), "an object": text({"a": canary}), "a list": text([canary])}[what]


def _put(body: bytes, name: str, member: bytes, order: str) -> bytes:
    """Insert a member before the one of that name, or at the end of its object."""
    at = body.index(text(name) + b":")
    if order == "first":
        return body[:at] + member + b"," + body[at:]
    depth = 0
    for place in range(at, len(body)):
        depth += (body[place : place + 1] in b"{[") - (body[place : place + 1] in b"}]")
        if depth < 0:
            return body[:place] + b"," + member + body[place:]
    raise AssertionError
