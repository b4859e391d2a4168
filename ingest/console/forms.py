"""Reads what a browser sends, a query string or a form, within bounds."""

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from ingest.console.errors import BadForm, BadQuery
from ingest.errors import IngestError
from ingest.serving import body
from ingest.serving.body import Form
from ingest.serving.body_memory import BodyMemory

FORM_BYTES_MAX = 65_536
QUERY_BYTES_MAX = 4_096
FIELDS_MAX = 200
_FORM = Form(("application/x-www-form-urlencoded",), wire_bytes_max=FORM_BYTES_MAX, bytes_max=FORM_BYTES_MAX)
_LINE_ENDS = "\r\n\t"


class Fields(Mapping[str, str]):
    """The fields by name; of a name that comes more than once, `[]` returns the last and `all` returns each."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs
        self._last = dict(pairs)

    def __getitem__(self, name: str) -> str:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def all(self, name: str) -> list[str]:
        """Return every value of a name, in order."""
        return [value for found, value in self._pairs if found == name]

    def pairs(self, *, without: str) -> list[tuple[str, str]]:
        """Return all names and values but those of one name, in order."""
        return [pair for pair in self._pairs if pair[0] != without]

    def text(self, name: str) -> str:
        """Return a value without the white space around it, or "" if there is none."""
        return self._last.get(name, "").strip()


NOTHING = Fields([])


def query_of(request: Request) -> Fields:
    """Return the parameters of the query string; raises BadQuery."""
    given = request.scope["query_string"]
    if len(given) > QUERY_BYTES_MAX:
        raise BadQuery
    return _parsed(given, BadQuery)


async def read(request: Request, memory: BodyMemory, tenant_id: int) -> Fields:
    """Return the fields of a form, which a tenant or strangers send; raises BadForm, or an error of `serving.body`."""
    if "content-encoding" in request.headers:
        raise BadForm
    with memory.share(tenant_id) as hold:
        return _parsed(await body.receive(request, _FORM, hold), BadForm)


def _parsed(given: bytes, refused: type[IngestError]) -> Fields:
    """Return the fields of `application/x-www-form-urlencoded`, of printable characters and line ends alone."""
    try:
        pairs = parse_qsl(given.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError:  # UnicodeDecodeError is one.
        raise refused from None
    if not all(name.isprintable() and _is_text(value) for name, value in pairs):
        raise refused
    return Fields(pairs)


def _is_text(value: str) -> bool:
    return value.isprintable() or not any(ord(each) < ord(" ") and each not in _LINE_ENDS for each in value)
