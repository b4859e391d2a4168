"""Signing in and out, in a real process."""

from tests.support.console import Console, text


def test_somebody_signs_in_sees_a_page_and_signs_out(running: Console) -> None:
    with running.visitor("owner") as owner:
        shown = owner.get("/account")
        assert shown.status == 200
        assert "owner@example.com" in text(shown)
        kept = owner.cookie
        assert owner.post("/sign-out").headers["location"] == "/sign-in?notice=signed-out"
        assert owner.cookie is None
        owner.cookie = kept
        again = owner.get("/account")
        assert (again.status, again.headers["location"]) == (303, "/sign-in?notice=session-ended")
