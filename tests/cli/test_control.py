"""`tenant`, `token`, `reader`, `vocabulary`, `tags` on a real database, as an operator types them."""

import re
from pathlib import Path

import pytest

from ingest.__main__ import main
from tests.support import cluster
from tests.support.cluster import Cluster
from tests.support.command import Run


def audit(dsn: str) -> list[str]:
    return [row["act"] for row in cluster.fetch(dsn, "SELECT act FROM audit ORDER BY audit_id")]


def test_a_tenant_added_twice_is_one(run: Run) -> None:
    assert run("tenant add acme") == (0, "tenant 1\n", "")
    assert run("tenant add other") == (0, "tenant 2\n", "")
    assert len(run("tenant list")[1].splitlines()) == 2


@pytest.mark.parametrize("name", ["Acme", "a/b", "x" * 65, "x\u00e9"])
def test_a_name_out_of_grammar_is_refused_in_one_line_without_it(run: Run, name: str) -> None:
    status, _, errors = run(f"tenant add {name}")
    assert status == 2
    assert errors.count("\n") == 1
    assert name not in errors


def test_what_a_tenant_is_set_to_is_listed(run: Run, database: str) -> None:
    for line in (
        "tenant mode acme model coarsen",
        "tenant mode acme tag learn",
        "tenant quota acme 500",
        "tenant diagnostics acme discard",
        "tenant disable acme",
    ):
        assert run(line) == (0, "", "")
    (row,) = run("tenant list")[1].splitlines()
    assert all(
        part in row
        for part in ("disabled", "500 events/min", "model=coarsen", "tag_value=learn", "diagnostics=discard")
    )
    assert run("tenant quota acme 0")[0] == run("tenant enable acme")[0] == 0
    (row,) = run("tenant list")[1].splitlines()
    assert "no quota" in row
    assert "enabled" in row
    assert run("tenant diagnostics acme refuse")[0] == 0
    assert "diagnostics=refuse" in run("tenant list")[1]
    assert len(audit(database)) == 9


def test_a_token_is_printed_once_and_only_its_digest_is_kept(run: Run, database: str) -> None:
    status, token, errors = run("token issue acme --days 1 --scope events:write")
    assert (status, errors) == (0, "")
    assert re.fullmatch(r"nct_[0-9a-f]{12}_[A-Za-z0-9_-]{43}\n", token)
    kept = repr([tuple(row.values()) for row in cluster.fetch(database, "SELECT * FROM ingest_tokens")])
    assert token.strip().split("_", 2)[2] not in kept
    listed = run("token list acme")[1]
    assert token.split("_")[1] in listed
    assert "events:write" in listed
    assert "until" in listed
    assert "not used" in listed
    assert token.strip() not in listed
    cluster.run(database, "UPDATE ingest_tokens SET last_used_at = '2026-11-01T07:00:00Z'")
    assert "used 2026-11-01 07h" in run("token list acme")[1]


def test_a_revoked_token_is_listed_as_such(run: Run) -> None:
    token_id = run("token issue acme")[1].split("_")[1]
    assert run(f"token revoke {token_id}")[0] == 0
    assert "revoked" in run("token list")[1]
    assert run("token revoke 000000000000")[0] == 1


def test_readers_are_added_listed_and_removed(run: Run, database: str) -> None:
    before = len(audit(database))
    cluster.run(database, "DROP ROLE IF EXISTS acme_analyst")
    cluster.run(database, "CREATE ROLE acme_analyst LOGIN IN ROLE nocontent_reader")
    for _ in range(2):
        assert run("reader add acme acme_analyst") == (0, "", "")
    (row,) = run("reader list")[1].splitlines()
    assert row.split()[:2] == ["acme_analyst", "acme"]
    assert run("reader list acme")[1].count("\n") == 1
    assert run("reader remove acme acme_analyst") == (0, "", "")
    assert run("reader remove acme acme_analyst")[0] == 1
    assert run("reader list acme") == (0, "", "")
    assert audit(database)[before:] == ["reader.add", "reader.remove"]


def test_a_reader_out_of_grammar_is_refused_without_its_name(run: Run) -> None:
    status, _, errors = run("reader add acme Robert');DROP")
    assert status == 2
    assert "DROP" not in errors


def test_a_rotated_token_ends_soon_and_its_successor_is_like_it(run: Run, database: str) -> None:
    old = run("token issue acme --days 90 --scope events:write")[1].split("_")[1]
    status, token, said = run(f"token rotate acme {old} --overlap 2")
    assert status == 0
    assert re.fullmatch(r"nct_[0-9a-f]{12}_[A-Za-z0-9_-]{43}\n", token)
    assert re.fullmatch(r"the new token works until \S+ \S+ UTC, the old one until \S+ \S+ UTC\n", said)
    rows = cluster.fetch(
        database,
        "SELECT token_id, scopes, extract(epoch FROM expires_at - now())::float AS left_s FROM ingest_tokens "
        "ORDER BY revision DESC",
    )
    left_s = {row["token_id"]: row["left_s"] for row in rows}
    new = token.split("_")[1]
    assert [row["scopes"] for row in rows] == [["events:write"]] * 2
    assert left_s[old] == pytest.approx(7_200, abs=60)
    assert left_s[new] == pytest.approx(90 * 86_400, abs=60)
    assert audit(database)[-2:] == ["token.rotate", "token.issue"]
    listed = run("token list acme")[1]
    assert old in listed
    assert new in listed


def test_a_rotation_makes_no_token_last_longer(run: Run, database: str) -> None:
    old = run("token issue acme --days 0.5")[1].split("_")[1]
    before = cluster.fetch(database, "SELECT expires_at FROM ingest_tokens")
    assert run(f"token rotate acme {old} --overlap 24")[0] == 0
    assert cluster.fetch(database, f"SELECT expires_at FROM ingest_tokens WHERE token_id = '{old}'") == before


def test_a_token_without_an_end_has_a_successor_without_one(run: Run, database: str) -> None:
    old = run("token issue acme")[1].split("_")[1]
    new = run(f"token rotate acme {old}")[1].split("_")[1]
    ends = "SELECT token_id FROM ingest_tokens WHERE expires_at IS NULL"
    assert [row["token_id"] for row in cluster.fetch(database, ends)] == [new]
    later = run(f"token rotate acme {new} --days 1")[1].split("_")[1]
    assert later
    assert cluster.fetch(database, ends) == []


def test_only_a_good_token_of_the_tenant_is_rotated(run: Run, database: str) -> None:
    run("tenant add other")
    strange = run("token issue other")[1].split("_")[1]
    revoked, expired = run("token issue acme")[1].split("_")[1], run("token issue acme --days 0")[1].split("_")[1]
    run(f"token revoke {revoked}")
    before = cluster.fetch(database, "SELECT * FROM ingest_tokens ORDER BY token_id")
    for token_id in (strange, revoked, expired, "000000000000"):
        status, said, errors = run(f"token rotate acme {token_id}")
        assert (status, said, errors.count("\n")) == (1, "", 1)
        assert "no good token" in errors
    assert cluster.fetch(database, "SELECT * FROM ingest_tokens ORDER BY token_id") == before


@pytest.mark.parametrize("span", ["-1", "nan", "inf", "40000", "soon"])
def test_a_time_that_is_none_is_told_with_the_usage(run: Run, span: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(f"token rotate acme 000000000000 --overlap={span}")
    assert "usage: nocontent" in capsys.readouterr().err


def test_words_are_declared_added_listed_and_removed(run: Run) -> None:
    assert run("tags declare acme team region") == (0, "", "")
    assert run("vocabulary add acme tag:team search ads")[1] == "2 registered, 0 refused\n"
    assert run("vocabulary add acme model acme-model-1")[0] == 0
    listed = [tuple(line.split()) for line in run("vocabulary list acme")[1].splitlines()]
    assert ("tag:team", "search") in listed
    assert ("model", "acme-model-1") in listed
    assert run("vocabulary remove acme tag:team ads")[1] == "1 removed, 0 not found\n"
    assert run("vocabulary remove acme tag:team ads")[0] == 1
    assert ("tag:team", "ads") not in [tuple(line.split()) for line in run("vocabulary list acme")[1].splitlines()]


def test_a_removed_word_may_be_added_again(run: Run) -> None:
    for act in ("add", "remove", "add"):
        assert run(f"vocabulary {act} acme model acme-model-1")[0] == 0
    assert "acme-model-1" in run("vocabulary list acme")[1]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("tags declare acme prompt", "content.prompt"),
        ("tags declare acme api-key", "secret.field"),
        ("vocabulary add acme model sk-ant-api03-aaaaaaaaaaaa", "secret.anthropic-key"),
        ("vocabulary add acme provider Marjolein", "vocabulary.bad-term"),
        ("vocabulary add acme model please-summarize-the-layoffs-list-for-marjolein-now", "vocabulary.prose"),
    ],
)
def test_a_barred_word_is_refused_by_rule_and_leaves_only_the_rule(
    run: Run, database: str, line: str, rule: str
) -> None:
    status, said, errors = run(line)
    assert status == 1
    assert rule in errors
    assert line.rsplit(maxsplit=1)[-1] not in (said + errors).replace(rule, "")
    (row,) = cluster.fetch(database, "SELECT * FROM audit WHERE act = 'vocabulary.refuse'")
    assert row["rule"] == rule
    assert line.rsplit(maxsplit=1)[-1] not in repr(tuple(row.values())).replace(rule, "")


def test_a_file_of_words_is_imported(run: Run, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("acme-1\n\n acme-2\nplease summarize\nsk-ant-api03-aaaaaaaaaaaa\n", "ascii")
    status, said, errors = run(f"vocabulary import acme model {tmp_path / 'models'}")
    assert (status, said) == (1, "2 registered, 2 refused\n")
    assert "line 4: vocabulary.bad-term" in errors
    assert "line 5: secret.anthropic-key" in errors


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("token issue nobody", "no tenant has that name"),
        ("vocabulary add acme colour red", "A kind is"),
        ("vocabulary add acme tag:team search", "tags declare"),
        ("vocabulary import acme model /nothing/there", "cannot be read"),
    ],
)
def test_a_mistake_is_told_in_one_line(run: Run, line: str, says: str) -> None:
    status, _, errors = run(line)
    assert status == 2
    assert errors.count("\n") == 1
    assert says in errors


def test_an_unmigrated_database_is_told_apart(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOCONTENT_DSN", postgres.empty())
    assert main(["serve"]) == 2
    assert "nocontent migrate" in capsys.readouterr().err


def test_migrate_says_what_it_did_and_does_it_once(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOCONTENT_DSN", postgres.empty())
    assert main(["migrate"]) == 0
    assert "applied 0001_create_roles" in capsys.readouterr().out
    assert main(["migrate"]) == 0
    said = capsys.readouterr().out
    assert "up to date" in said
    assert "0 created, 0 dropped, 0 postponed, 7 days ahead" in said


def test_a_tenant_is_renamed_and_keeps_all_it_has(run: Run, database: str) -> None:
    token = run("token issue acme")[1]
    assert run("tenant add other")[0] == 0
    before = cluster.fetch(database, "SELECT revision FROM tenants WHERE tenant_id = 1")[0]["revision"]
    assert run("tenant rename acme acme-ltd") == (0, "", "")
    assert run("token list acme-ltd")[1].split()[0] == token.split("_")[1]
    assert run("tenant quota acme 5")[0] == 2
    assert cluster.fetch(database, "SELECT revision FROM tenants WHERE tenant_id = 1")[0]["revision"] > before
    assert audit(database)[-1] == "tenant.rename"
    status, _, errors = run("tenant rename acme-ltd other")
    assert (status, errors) == (2, "nocontent: Another tenant has that name.\n")
    status, _, errors = run("tenant rename acme-ltd sk-proj-Zm9vYmFyYmF6cXV4")
    assert (status, "Zm9v" in errors) == (2, False)
    assert run("tenant rename acme whatever")[0] == 2
    assert audit(database)[-1] == "tenant.rename"
