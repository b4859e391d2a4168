"""Names as honest senders send them: ids around a known model, public names of clouds and tasks, people's tags."""

from pathlib import Path

import pytest

from schema.event import OWN_IDS, Kind
from tests.support import cluster, sample
from tests.support.cluster import Watch
from tests.support.command import Run
from tests.support.service import Server
from tests.support.wire import Sender

ACCOUNT = "618033988749"
STORED = {
    "openrouter/anthropic/claude-opus-4.5:thinking": "openrouter/anthropic/claude-opus-4.5",
    "bedrock/eu-west-3/claude-opus-4.5@20310101": "claude-opus-4-5",
    f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0": (
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    ),
    "ft:gpt-4o-mini-2024-07-18": "ft:gpt-4o-mini-2024-07-18",
    "ft:gpt-4.1-2025-04-14": "ft:gpt-4.1-2025-04-14",
    "openrouter/openai/gpt-4o-2031-02-03:free": "openrouter/openai/gpt-4o",
    "GPT-4O-MINI": "gpt-4o-mini",
    "gpt-oss:120b": "gpt-oss-120b",
    "azure/claude-opus-4-5": "claude-opus-4-5",
}
REFUSED = [
    "ft:gpt-4o-mini-2024-07-18:acme-hr:layoffs:B7xQ",
    f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/a1b2c3d4e5f6",
    f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/our-layoffs",
    "projects/our-layoffs/locations/us-central1/publishers/google/models/gemini-2.5-pro",
    "anthropic/ignore-previous-instructions",
    "openrouter/claude-opus-4-5:sk-proj-Zx81",
    "gpt-4o-my-secret-project",
    "gpt-4o-" + "4111111111111111" * 2,
]


def test_spellings_are_stored_as_their_terms_and_what_was_around_them_nowhere(server: Server, sender: Sender) -> None:
    events = [sample.event(requested_model=model, routed_model=model) for model in STORED]
    assert sender.post(sample.body(*events)).json == {"accepted": len(STORED), "duplicates": 0}
    for event, term in zip(events, STORED.values(), strict=True):
        query = "SELECT requested_model, routed_model FROM readable_events WHERE event_id = $1::uuid"
        assert [tuple(row) for row in cluster.fetch(server.dsn, query, event["event_id"])] == [(term, term)]
    query = "SELECT count(*) FROM vocabulary WHERE term LIKE '%' || $1 || '%' OR term LIKE '%2031%'"
    assert cluster.fetch(server.dsn, query, ACCOUNT)[0][0] == 0


@pytest.mark.parametrize("model", REFUSED)
def test_content_in_the_dress_of_a_spelling_is_refused_and_not_said_back(
    sender: Sender, watch: Watch, model: str
) -> None:
    before = watch.counts()
    answer = sender.post(sample.body(sample.event(routed_model=model)))
    assert answer.status == 422
    assert {pointer for _, pointer in answer.violations} == {"/events/0/routed_model"}
    assert model.encode() not in answer.body
    assert watch.counts() == before


@pytest.mark.parametrize(
    ("field", "sent", "stored"),
    [
        ("provider", "amazon-bedrock", "aws.bedrock"),
        ("provider", "AWS-Bedrock", "aws.bedrock"),
        ("provider", "google-vertex", "gcp.vertex_ai"),
        ("provider", "azure_openai", "azure.ai.openai"),
        ("provider", "OpenAI", "openai"),
        ("provider", "alibaba-cn", "alibaba"),
        ("provider", "fireworks-ai", "fireworks_ai"),
        ("provider", "siliconflow", "siliconflow"),
        ("task_category", "rag", "rag"),
        ("task_category", "RAG", "rag"),
        ("task_category", "embeddings", "embedding"),
        ("task_category", "QA", "question_answering"),
        ("task_category", "code", "code_generation"),
    ],
)
def test_public_names_of_clouds_and_tasks_are_known(
    server: Server, sender: Sender, field: str, sent: str, stored: str
) -> None:
    event = sample.event(**{field: sent})
    assert sender.post(sample.body(event)).status == 200
    query = f"SELECT {field} FROM readable_events WHERE event_id = $1::uuid"
    assert cluster.fetch(server.dsn, query, event["event_id"])[0][0] == stored


def test_a_policy_says_what_is_read_as_a_term(sender: Sender) -> None:
    spellings = sender.get("/v1/policy").json["spellings"]
    assert isinstance(spellings, dict)
    assert {"openrouter", "accounts-fireworks-models"} <= set(spellings["before"])
    assert {"free", "latest", "q4-k-m"} <= set(spellings["behind"])
    assert "amazon-bedrock aws-bedrock" in spellings["provider_names"]


@pytest.mark.parametrize(
    "value", ["en-US", "CC-2040", "python-sdk/2.34.0", "AB_TEST_33", "team:search+ads", "zh-Hant-TW"]
)
def test_tag_values_that_people_have_are_registered(run: Run, value: str) -> None:
    assert run("tags declare acme label")[0] == 0
    assert run(f"vocabulary add acme tag:label {value}") == (0, "1 registered, 0 refused\n", "")


@pytest.mark.parametrize(
    "value", ["sk-ant-api03-AAAAAAAA", "/etc", "a\\b", "x" * 65, "a@b.example", "postgres://u:p@h"]
)
def test_a_tag_value_still_meets_the_gauntlet(run: Run, value: str) -> None:
    assert run("tags declare acme label")[0] == 0
    status, said, errors = run(f"vocabulary add acme tag:label {value}")
    assert (status, said) == (1, "0 registered, 1 refused\n")
    assert value not in errors


def test_more_tag_keys_fit_than_anybody_has_and_all_are_usable(run: Run) -> None:
    keys = " ".join(f"k{number}" for number in range(len(OWN_IDS[Kind.TAG_KEY])))
    assert run(f"tags declare acme {keys}") == (0, "", "")
    assert run("vocabulary add acme tag:k239 last")[0] == 0
    assert run("tags declare acme one-more")[0] == 2


def fill(database: str, kind: Kind, first: int, last: int) -> None:
    """Register own terms of a tenant with these ids, as earlier acts would have."""
    cluster.fetch(
        database,
        "INSERT INTO vocabulary (tenant_id, kind, term_id, parent_id, term, learned, revision)"
        " SELECT 1, $1, term_id, 0, 'own-' || term_id, false, 1 FROM generate_series($2::int, $3::int) AS term_id",
        kind,
        first,
        last,
    )


def test_an_import_that_meets_the_end_of_the_room_says_how_far_it_came(run: Run, database: str, tmp_path: Path) -> None:
    fill(database, Kind.PROVIDER, 128, OWN_IDS[Kind.PROVIDER].stop - 3)
    terms = ["acme-a", "openai", "acme-b", "", "acme-c", "acme-d", "own-200", "acme-a", "sk-ant-api03-aaaa", "acme-e"]
    file = tmp_path / "providers"
    file.write_text("\n".join(terms), "ascii")
    status, said, errors = run(f"vocabulary import acme provider {file}")
    assert (status, said) == (1, "2 registered, 2 registered before, 1 shipped anyway, 1 refused, 3 without an id\n")
    assert "no id left for line 5-6, 10: the tenant's 384 ids" in errors
    assert "line 9: secret.anthropic-key" in errors
    assert not [term for term in terms if term and term in errors]
    assert run(f"vocabulary import acme provider {file}")[1] == (
        "0 registered, 4 registered before, 1 shipped anyway, 1 refused, 3 without an id\n"
    )


def test_a_shipped_term_is_neither_registered_nor_refused(run: Run, database: str) -> None:
    before = cluster.fetch(database, "SELECT count(*) FROM audit")[0][0]
    line = "vocabulary add acme model gpt-4o unknown accounts/fireworks/models/llama-v3p2-90b-vision-instruct"
    assert run(line) == (0, "0 registered, 3 shipped anyway, 0 refused\n", "")
    assert cluster.fetch(database, "SELECT count(*) FROM audit")[0][0] == before


def test_ids_that_tenants_hold_from_before_the_room_grew_stay_theirs(run: Run, database: str) -> None:
    """The catalogue's providers had ids up to 127 and tenants' 128 to 255, and an id, once assigned, stays."""
    fill(database, Kind.PROVIDER, 128, 255)
    assert run("vocabulary add acme provider acme-inference")[0] == 0
    rows = cluster.fetch(database, "SELECT tenant_id, term_id, term FROM vocabulary WHERE kind = 2 ORDER BY term_id")
    own = [row["term_id"] for row in rows if row["tenant_id"] == 1]
    shipped = [row["term_id"] for row in rows if row["tenant_id"] == 0]
    assert own == list(range(128, 257))
    assert set(shipped).isdisjoint(OWN_IDS[Kind.PROVIDER])
    assert max(shipped) > 511
    assert shipped == sorted(set(range(128)) | set(range(512, 512 + len(shipped) - 128)))


def test_a_view_has_an_own_provider_and_one_of_the_catalogues_further_ids(run: Run, database: str) -> None:
    fill(database, Kind.PROVIDER, 128, 255)
    assert run("vocabulary list acme")[0] == 0
    (late,) = cluster.fetch(database, "SELECT term FROM vocabulary WHERE tenant_id = 0 AND kind = 2 AND term_id = 512")
    definition = cluster.fetch(database, "SELECT pg_get_viewdef('readable_events'::regclass) AS sql")[0]["sql"]
    assert "event.provider >= 128" in definition
    assert "event.provider <= 511" in definition
    assert late["term"]
