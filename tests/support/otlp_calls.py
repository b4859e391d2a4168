"""Reads requests of OTLP as the doors do, without a service."""

from ingest.intake.otlp import json_text, protobuf
from ingest.intake.otlp.export import LOGS, TRACES, Export, Sighting, once
from ingest.serving import steps
from tests.support import otlp
from tests.support.otlp import Json

DECLARED = {"service": "my-proxy", "team": "search"}


def infer(key: str, value: str) -> str | None:
    """Return what `Faults.implied` does for a tenant that has declared two keys with a value each."""
    return None if key not in DECLARED else value if value == DECLARED[key] else "unknown"


def read(request: Json) -> list[Sighting]:
    """Read a request in both encodings, which must make the same calls."""
    signal = LOGS if "resourceLogs" in request else TRACES
    made = [
        steps.finish(Export(signal, encoding, infer).steps(otlp.encoded(request, name)))
        for name, encoding in zip(otlp.ENCODINGS, (protobuf.ENCODING, json_text.ENCODING), strict=True)
    ]
    assert made[0] == made[1]
    return once(made[0])
