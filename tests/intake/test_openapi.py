"""`/openapi.json`: OpenAPI 3.1 that agrees with the decoder."""

import json

from ingest.intake import openapi
from schema.decode import Window, decode
from schema.event import Event
from schema.limits import STRING_CHARS_MAX
from schema.vocabulary import Mode
from tests.support.gauge import vocabulary
from tests.support.judge import spelled_out
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
    assert [schemas[name]["additionalProperties"] for name in ("Batch", "Event", "Columns", "Stream")] == [False] * 4


def test_the_examples_are_the_same_batch_and_accepted() -> None:
    post = json.loads(openapi.document())["paths"]["/v1/events"]["post"]
    sent = {
        name: each["value"] for name, each in post["requestBody"]["content"]["application/json"]["examples"].items()
    }
    assert list(sent) == ["rows", "columns"]
    at_ms = int(sent["rows"]["events"][0]["event_id"].replace("-", "")[:12], 16)
    known = vocabulary(Mode.REFUSE)
    in_rows, in_columns = (decode(json.dumps(batch).encode(), known, Window.at(at_ms, 1)) for batch in sent.values())
    assert in_rows == spelled_out(in_columns)


def test_the_document_wants_all_lists_of_columns_and_no_rows_beside_them() -> None:
    batch = json.loads(openapi.document())["components"]["schemas"]["Batch"]
    lists = ["terms", "tag_sets", "columns"]
    for name in lists:
        assert {name, *batch["dependentRequired"].pop(name)} == {*lists}
    assert batch["dependentRequired"] == {}
    assert batch["not"] == {"required": ["events", "columns"]}


def test_the_document_leaves_no_string_of_an_event_open() -> None:
    properties = json.loads(openapi.document())["components"]["schemas"]["Event"]["properties"]
    for name, schema in properties.items():
        if schema.get("type") == "string":
            assert schema["maxLength"] <= STRING_CHARS_MAX, name
