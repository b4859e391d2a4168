"""`nocontent prices`: a tenant's own rates, refusals without the value, and what usage costs."""

from pathlib import Path

import pytest

from ingest.store import tenants
from tests.support import customers
from tests.support.cluster import fetch
from tests.support.command import Run, runner

_SET = "prices set acme anthropic claude-opus-4-5"
_CHECK = "prices check claude-opus-4-5 --provider anthropic --tenant acme --input 1000"
_AUDIT = "SELECT act, kind, term_id FROM nocontent.audit WHERE tenant_id > 0 AND act LIKE 'prices.%' ORDER BY audit_id"


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("NOCONTENT_DSN", database)
    customers.act(database, lambda connection: tenants.add(connection, "acme"))
    return runner(capsys)


def acts_of(dsn: str) -> list[str]:
    return [row["act"] for row in fetch(dsn, _AUDIT)]


def test_own_rates_replace_the_books_while_they_are_valid(run: Run, database: str) -> None:
    assert run(f"{_CHECK} --output 100")[:2] == (0, "anthropic                0.007500000 USD\n")
    status, out, _ = run(f"{_SET} --input 4 --output 20.5 --from 2026-12-01 --until 2027-01-01")
    assert status == 0
    assert out == (
        "from 2026-12-01 until 2027-01-01: input 4 cache-read ? cache-write-5m ? cache-write-1h ? output 20.5\n"
    )
    assert run(f"{_CHECK} --output 100 --at 2026-12-31T23:59:59+00:00")[1].endswith(" 0.006050000 USD\n")
    assert run(f"{_CHECK} --output 100 --at 2027-01-01")[1].endswith(" 0.007500000 USD\n")
    status, out, _ = run(f"{_CHECK} --cache-read 1 --at 2026-12-01")
    assert (status, out) == (1, "anthropic                unpriced\n")
    assert acts_of(database) == ["prices.set"]


def test_any_spelling_of_a_model_and_provider_will_do(run: Run) -> None:
    assert run("prices set acme Anthropic anthropic/claude-opus-4-5-20251101 --input 4")[0] == 0
    assert "claude-opus-4-5" in run("prices list acme")[1]


def test_show_prints_both(run: Run) -> None:
    run(f"{_SET} --input 4 --output 20 --until 2026-12-01T00:00+01:00")
    said = run("prices show acme anthropic claude-opus-4-5")[1]
    assert "own   from the beginning until 2026-11-30T23:00Z: input 4" in said
    assert "book  from the beginning until further notice: input 5 cache-read 0.5 cache-write-5m 6.25" in said
    tiers = run("prices show acme anthropic claude-sonnet-4-5")[1]
    assert "up to 200,000 input tokens: input 3" in tiers
    assert "above 200,000 input tokens: input 6" in tiers
    assert "16:30 UTC" in run("prices show acme deepseek deepseek-chat")[1]
    assert run("prices show acme openai claude-opus-4-5")[0] == 1


def test_end_and_remove(run: Run, database: str) -> None:
    run(f"{_SET} --input 4 --from 2026-01-01")
    assert run("prices end acme anthropic claude-opus-4-5 2026-06-01")[0] == 0
    assert run(f"{_SET} --input 3 --from 2026-06-01")[0] == 0
    assert run(f"{_CHECK} --at 2026-05-31")[1].endswith("0.004000000 USD\n")
    assert run(f"{_CHECK} --at 2026-06-01")[1].endswith("0.003000000 USD\n")
    assert run("prices list acme")[1].endswith("2 periods of this tenant's own rates\n")
    assert run("prices remove acme anthropic claude-opus-4-5 --from 2026-06-01")[0] == 0
    assert run(f"{_CHECK} --at 2026-06-01")[1].endswith("0.005000000 USD\n")
    assert run("prices remove acme anthropic claude-opus-4-5")[0] == 0
    assert acts_of(database) == ["prices.set", "prices.end", "prices.set", "prices.remove", "prices.remove"]


def test_a_file_is_taken_whole_with_its_tiers(run: Run, tmp_path: Path, database: str) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(
        "provider,model,input,output,above,from\n"
        "anthropic,claude-opus-4-5,4,20,,\n"
        "anthropic,claude-opus-4-5,8,30,200000,\n"
        "\n"
        "openai,gpt-4o,2,8,,2026-12-01\n"
    )
    assert run(f"prices import acme {file}")[:2] == (0, "2 periods of 2 models added\n")
    assert run(f"{_CHECK}")[1].endswith("0.004000000 USD\n")
    assert run("prices check claude-opus-4-5 --provider anthropic --tenant acme --input 200000")[1].endswith(
        "0.800000000 USD\n"
    )
    assert run("prices check claude-opus-4-5 --provider anthropic --tenant acme --input 200001")[1].endswith(
        "1.600008000 USD\n"
    )
    assert acts_of(database) == ["prices.import", "prices.import"]


def test_check_prints_each_seller(run: Run) -> None:
    status, out, _ = run("prices check claude-opus-4-5 --input 1000000 --output 1000")
    assert status == 0
    sellers = [line.split()[0] for line in out.splitlines()]
    assert {"anthropic", "openrouter", "vertex_ai", "aws.bedrock"} <= {*sellers}
    assert run("prices check gpt-4o --provider anthropic --input 1")[0] == 1


def test_a_tenant_without_usage_has_nothing_unpriced(run: Run) -> None:
    assert run("prices unpriced acme") == (
        0,
        "0 models without a price, or for a part of their usage; see docs/prices.md#unpriced\n",
        "",
    )


_SECRET = "sk-ant-api03-a1B2a1B2"
REFUSED = {
    f"{_SET} --input {_SECRET}": "a rate is a decimal number",
    f"{_SET} --input nan": "a rate is a decimal number",
    f"{_SET} --input 1e3": "a rate is a decimal number",
    f"{_SET} --input -3": "a rate is 0 or more",
    f"{_SET} --input 10000.000001": "a rate is at most 10,000 USD per million tokens",
    f"{_SET} --input 0.0000001": "a rate has at most 6 decimal places",
    f"{_SET} --from 2026-12-01": "At least one rate is needed",
    f"{_SET} --input 1 --from {_SECRET}": "a time is a day such as 2026-12-01",
    f"{_SET} --input 1 --from 2026-12-01T10:00": "needs its offset from UTC",
    f"{_SET} --input 1 --from 1026-12-01": "between the years 2000 and 2200",
    f"{_SET} --input 1 --from 2026-12-01 --until 2026-12-01": "a period ends after it starts",
    f"{_SET} --input 1 --from 2026-12-02 --until 2026-12-01": "a period ends after it starts",
    f"prices set acme {_SECRET} gpt-4o --input 1": "No provider of the tenant or the catalogue",
    f"prices set acme openai {_SECRET} --input 1": "No model of the tenant or the catalogue",
    "prices set acme openai unknown --input 1": "No model of the tenant or the catalogue",
    f"prices set {_SECRET} openai gpt-4o --input 1": "no tenant has that name",
    "prices end acme openai gpt-4o 2026-12-01": "No own rates of this model start before that day",
    "prices remove acme openai gpt-4o": "No such own rates",
    f"prices check gpt-4o --input {_SECRET}": "a whole number of tokens",
    "prices check gpt-4o --input 10000001": "a whole number of tokens",
}


@pytest.mark.parametrize("line", REFUSED)
def test_a_refusal_has_a_reason_and_no_value(
    run: Run, line: str, capsys: pytest.CaptureFixture[str], database: str
) -> None:
    try:
        status, out, err = run(line)
    except SystemExit as ended:
        status, (out, err) = int(str(ended.code)), capsys.readouterr()
    assert status == 2
    assert REFUSED[line] in err
    assert _SECRET not in out + err
    assert acts_of(database) == []


@pytest.mark.parametrize(
    "period", ["", "--from 2026-06-01", "--until 2026-06-01", "--from 2026-03-01 --until 2026-03-02"]
)
def test_overlapping_periods_are_refused(run: Run, period: str) -> None:
    assert run(f"{_SET} --input 4 --from 2026-01-01 --until 2026-12-01")[0] == 0
    status, _, err = run(f"{_SET} --input 3 {period}")
    assert status == 2
    assert "There are rates for that model from 2026-01-01 until 2026-12-01: end or remove them first" in err


def test_periods_that_touch_do_not_overlap(run: Run) -> None:
    assert run(f"{_SET} --input 4 --from 2026-01-01 --until 2026-12-01")[0] == 0
    assert run(f"{_SET} --input 4 --from 2026-12-01")[0] == 0
    assert run(f"{_SET} --input 4 --until 2026-01-01")[0] == 0


FILES = {
    "provider,model\nopenai,gpt-4o\n": "Line 2: at least one rate is needed",
    f"provider,model,{_SECRET}\n": "The first line has the names of the columns",
    "provider,model,input,input\n": "The first line has the names of the columns",
    "": "The first line has the names of the columns",
    "provider,model,input\n": "The file has no rates",
    f"provider,model,input\nopenai,gpt-4o,1\nopenai,{_SECRET},1\n": "Line 3: No model of the tenant",
    f"provider,model,input\nopenai,gpt-4o,{_SECRET}\n": "Line 2: a rate is a decimal number",
    "provider,model,input\nopenai,gpt-4o\n": "Line 2 has another number of cells",
    'provider,model,input\nopenai,"gpt-4o"x,1\n': "Line 2 is not CSV",
    "provider,model,input,above\nopenai,gpt-4o,1,-1\n": "Line 2: a tier starts above a whole number",
    "provider,model,input,above\nopenai,gpt-4o,1,5\n": "a period needs a tier without a lower bound",
    "provider,model,input,above\nopenai,gpt-4o,1,\nopenai,gpt-4o,2,\n": "a tier of this period is there twice",
    "provider,model,input,from\nopenai,gpt-4o,1,\nopenai,gpt-4o,2,2026-12-01\n": "two periods of this model overlap",
}


@pytest.mark.parametrize("text", FILES)
def test_a_bad_file_is_refused_whole_by_line(run: Run, text: str, tmp_path: Path, database: str) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(text)
    status, out, err = run(f"prices import acme {file}")
    assert status == 2
    assert FILES[text] in err
    assert _SECRET not in out + err
    assert acts_of(database) == []
    assert fetch(database, "SELECT count(*) FROM nocontent.prices WHERE tenant_id > 0")[0]["count"] == 0
