"""People in the console: invited by a link, changed by whoever may, never another tenant's."""

import contextlib
import html
import re
from http import HTTPStatus

import pytest

from tests.support import cluster
from tests.support.console import PASSWORD, Console, Visitor, text
from tests.support.wire import Answer

_LINK = re.compile(r'id="secret-link"[^>]*>([^<]+)<')
_PERSON = "SELECT person_id FROM people JOIN tenants USING (tenant_id) WHERE tenants.name = $1 AND email = $2"
_AUDIT = """
SELECT act, subject.email FROM audit JOIN people subject
    ON subject.tenant_id = audit.tenant_id AND subject.person_id = audit.subject_id
ORDER BY audit_id DESC LIMIT 1
"""


def _person(running: Console, email: str, tenant: str = "acme") -> str:
    return str(cluster.fetch(running.dsn, _PERSON, tenant, email)[0][0])


def _invite(visitor: Visitor, email: str, role: str = "analyst", name: str = "A new analyst") -> Answer:
    return visitor.post("/people/invite", {"email": email, "name": name, "role": role})


def _link(answer: Answer, running: Console) -> str:
    assert answer.status == HTTPStatus.OK, text(answer)
    found = _LINK.search(answer.body.decode())
    assert found is not None
    link = html.unescape(found[1])
    assert link.startswith(f"{running.origin}/")
    return link.removeprefix(running.origin)


def test_whoever_was_invited_signs_in_by_the_link(owner: Visitor, running: Console) -> None:
    link = _link(_invite(owner, "New.Analyst@example.com"), running)
    page = owner.get("/people")
    assert "new.analyst@example.com analyst invited" in text(page)
    assert link not in page.body.decode()
    with contextlib.closing(running.stranger()) as invited:
        assert invited.get(link).status == HTTPStatus.OK
        accepted = invited.submit(link, {"password": PASSWORD, "again": PASSWORD})
        assert accepted.status == HTTPStatus.SEE_OTHER, text(accepted)
        invited.sign_in("acme", "new.analyst@example.com")
        assert invited.get("/tokens").status == HTTPStatus.NOT_FOUND
    assert "new.analyst@example.com analyst active" in text(owner.get("/people"))
    assert link not in running.log.read_text("utf-8")


@pytest.mark.parametrize(
    ("form", "status", "says"),
    [
        ({"email": "admin@example.com"}, HTTPStatus.CONFLICT, "Somebody here has that address already."),
        ({"email": "no address"}, HTTPStatus.UNPROCESSABLE_ENTITY, "That is not an address, a name or a role"),
        ({"email": "one@example.com", "role": "king"}, HTTPStatus.UNPROCESSABLE_ENTITY, "That is not an address"),
        ({"email": "one@example.com", "name": "<b>"}, HTTPStatus.UNPROCESSABLE_ENTITY, "That is not an address"),
    ],
)
def test_a_bad_invitation_is_explained(form: dict[str, str], status: int, says: str, owner: Visitor) -> None:
    answer = owner.post("/people/invite", {"name": "Somebody", "role": "analyst"} | form)
    assert (answer.status, says in text(answer)) == (status, True)


def test_an_admin_neither_makes_nor_changes_an_owner(running: Console) -> None:
    says = "Only an owner may change an owner, or make one. Nothing was changed."
    owner = _person(running, "owner@example.com")
    with running.visitor("admin") as admin:
        answers = [
            _invite(admin, "second@example.com", "owner"),
            admin.post(f"/people/{_person(running, 'analyst@example.com')}/role", {"role": "owner"}),
            admin.post(f"/people/{owner}/role", {"role": "analyst"}),
            admin.post(f"/people/{owner}/link", {"kind": "reset"}),
            *(admin.post(f"/people/{owner}/{act}") for act in ("disable", "remove", "sign-out", "end-totp")),
        ]
        assert [(answer.status, says in text(answer)) for answer in answers] == [(403, True)] * len(answers)
        assert 'action="/people/' not in admin.get(f"/people/{owner}").body.decode()


@pytest.mark.parametrize("act", ["disable", "remove", "role"])
def test_the_last_owner_stays(act: str, owner: Visitor, running: Console) -> None:
    answer = owner.post(f"/people/{_person(running, 'owner@example.com')}/{act}", {"role": "admin"})
    assert answer.status == HTTPStatus.CONFLICT
    assert "would be left without an owner who can sign in" in text(answer)
    assert owner.get("/people").status == HTTPStatus.OK


def test_whoever_is_kept_out_is_out_at_once(owner: Visitor, running: Console) -> None:
    billing = _person(running, "billing@example.com")
    with running.visitor("billing") as visitor:
        assert visitor.get("/account").status == HTTPStatus.OK
        assert owner.post(f"/people/{billing}/disable").status == HTTPStatus.SEE_OTHER
        assert visitor.get("/account").status == HTTPStatus.SEE_OTHER
    assert tuple(cluster.fetch(running.dsn, _AUDIT)[0]) == ("account.disable", "billing@example.com")
    assert "disabled" in text(owner.get(f"/people/{billing}"))
    assert owner.post(f"/people/{billing}/enable").status == HTTPStatus.SEE_OTHER
    with running.visitor("billing") as visitor:
        assert visitor.get("/account").status == HTTPStatus.OK
        assert owner.post(f"/people/{billing}/sign-out").status == HTTPStatus.SEE_OTHER
        assert visitor.get("/account").status == HTTPStatus.SEE_OTHER


def test_a_new_role_asks_to_sign_in_again(owner: Visitor, running: Console) -> None:
    _link(_invite(owner, "changing@example.com", name="Somebody"), running)
    changing = _person(running, "changing@example.com")
    answer = owner.post(f"/people/{changing}/role", {"role": "auditor"})
    assert answer.headers["location"] == f"/people/{changing}?notice=role-set"
    assert "auditor" in text(owner.get(f"/people/{changing}"))
    again = _link(owner.post(f"/people/{changing}/link", {"kind": "invitation"}), running)
    with contextlib.closing(running.stranger()) as invited:
        assert invited.get(again).status == HTTPStatus.OK
    assert owner.post(f"/people/{changing}/link", {"kind": "sign-in"}).status == HTTPStatus.NOT_FOUND
    assert owner.post(f"/people/{changing}/remove").headers["location"] == "/people?notice=person-removed"
    assert owner.get(f"/people/{changing}").status == HTTPStatus.NOT_FOUND


def test_another_tenants_people_are_not_found(owner: Visitor, running: Console) -> None:
    theirs = _person(running, "analyst@example.com", "globex")
    for wanted in (theirs, "00000000-0000-4000-8000-000000000000", "x"):
        answers = [
            owner.get(f"/people/{wanted}"),
            owner.post(f"/people/{wanted}/role", {"role": "admin"}),
            owner.post(f"/people/{wanted}/link", {"kind": "reset"}),
            *(owner.post(f"/people/{wanted}/{act}") for act in ("disable", "enable", "remove", "sign-out", "end-totp")),
        ]
        assert {answer.status for answer in answers} == {404}
    with running.visitor("analyst", "globex") as visitor:
        assert visitor.get("/account").status == HTTPStatus.OK
