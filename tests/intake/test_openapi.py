"""`/openapi.json`: OpenAPI 3.1 that agrees with the decoder."""

import json

from ingest.intake import openapi
from schema.event import Event
from schema.limits import STRING_CHARS_MAX
from tests.support.service import Server


def test_the_document_is_valid_openapi_3_1(server: Server) -> None:
    import openapi_spec_validator  # noqa: PLC0415 (it takes as long to import as ten test files to collect)

    sender = server.sender()
    answer = sender.get("/openapi.json")
    sender.close()
    assert answer.status == 200
    assert answer.json["openapi"] == "3.1.0"
    openapi_spec_validator.validate(answer.json)


def test_the_document_closes_every_object_of_the_contract() -> None:
    schemas = json.loads(openapi.document())["components"]["schemas"]
    assert schemas["Event"]["required"] == list(Event.__struct_fields__)
    assert [schemas[name]["additionalProperties"] for name in ("Batch", "Event", "Stream")] == [False, False, False]


def test_the_document_leaves_no_string_of_an_event_open() -> None:
    properties = json.loads(openapi.document())["components"]["schemas"]["Event"]["properties"]
    for name, schema in properties.items():
        if schema.get("type") == "string":
            assert schema["maxLength"] <= STRING_CHARS_MAX, name
