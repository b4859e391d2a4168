"""The form of a token is written and read in one place."""

import pytest

from ingest.knowledge.tokens import Credential

TOKEN_ID, SECRET = "0f9a4c7be21d", "A" * 41 + "-_"


def test_a_token_that_is_made_is_read_as_the_same() -> None:
    made = Credential.make()
    assert Credential.parse(str(made)) == made
    assert Credential.make() != made
    assert str(Credential(TOKEN_ID, SECRET)) == f"nct_{TOKEN_ID}_{SECRET}"


@pytest.mark.parametrize(
    "token",
    [
        "",
        f"{TOKEN_ID}_{SECRET}",
        f"nct_{TOKEN_ID}{SECRET}",
        f"NCT_{TOKEN_ID}_{SECRET}",
        f"nct_{TOKEN_ID[1:]}_{SECRET}",
        f"nct_{TOKEN_ID.upper()}_{SECRET}",
        f"nct_{TOKEN_ID}_{SECRET[1:]}",
        f"nct_{TOKEN_ID}_{SECRET}A",
        f"nct_{TOKEN_ID}_{SECRET}\n",
        f" nct_{TOKEN_ID}_{SECRET}",
        f"nct_{TOKEN_ID}_{SECRET[1:]}é",
    ],
)
def test_anything_else_is_not_a_token(token: str) -> None:
    assert Credential.parse(token) is None
