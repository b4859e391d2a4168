"""Acts on the vocabulary: register and retire terms, declare tag keys, set what becomes of unregistered terms."""

from http import HTTPStatus

from starlette.responses import Response

from ingest.console.page import MANAGERS, Page
from ingest.console.pages.vocabulary import TERMS_MAX, kind_of, overview
from ingest.console.visit import Visit
from ingest.serving.errors import NotFound
from ingest.store import registration, tenants, vocabulary
from ingest.store.errors import VocabularyFull
from schema.event import Kind
from schema.learning import Candidate
from schema.vocabulary import Mode

_REFUSED = HTTPStatus.UNPROCESSABLE_ENTITY
_MODED = {kind.name.lower(): kind for kind in tenants.KINDS_WITH_MODE}
_MODES = {mode.name.lower(): mode for mode in Mode}
_TOO_MANY = f"Enter up to {TERMS_MAX} terms at once, one in a line. None was registered."
_NONE = "Enter at least one term."


async def register(visit: Visit) -> Response:
    """Register terms, one in a line; the answer names refused ones by their line and repeats no value."""
    terms = [(place, line.strip()) for place, line in enumerate(visit.form.get("terms", "").splitlines(), 1)]
    given = [(place, term) for place, term in terms if term]
    name, tenant_id = visit.form.text("kind"), visit.person.tenant_id
    if not 0 < len(given) <= TERMS_MAX:
        return await _refused(visit, kind=name, verdicts=(_TOO_MANY if given else _NONE,))
    async with visit.act() as connection:
        kind_and_parent = await kind_of(connection, tenant_id, name)
        if kind_and_parent[0] is Kind.TAG_KEY:  # They are declared.
            raise NotFound
        done = await registration.register(connection, tenant_id, kind_and_parent, given)
    if done.is_whole:
        return visit.redirect(f"/vocabulary/{name}", "terms-registered")
    shortage = done.shortage("line")
    verdicts = [*done.verdicts("line"), *([shortage] if shortage else [])]
    return await _refused(visit, kind=name, summary=done.summary(), verdicts=verdicts)


async def _refused(visit: Visit, **outcome: object) -> Response:
    async with visit.read() as connection:
        context = await overview(connection, visit, **outcome)
    return visit.render("vocabulary.html", _REFUSED, **context)


async def retire(visit: Visit) -> Response:
    """Refuse a term from now on; rows keep it."""
    name, tenant_id = visit.form.text("kind"), visit.person.tenant_id
    async with visit.act() as connection:
        kind, parent = await kind_of(connection, tenant_id, name)
        if not await vocabulary.remove(connection, tenant_id, Candidate(kind, parent, visit.form.text("term"))):
            raise NotFound
    return visit.redirect(f"/vocabulary/{name}", "term-retired")


async def declare(visit: Visit) -> Response:
    """Opt in to a tag key."""
    key = visit.form.text("key")
    try:
        async with visit.act() as connection:
            rule = await vocabulary.declare_tag(connection, visit.person.tenant_id, key)
    except VocabularyFull:
        return await _refused(visit, key_verdict="There is no id left for another tag key; ids are never reassigned.")
    if rule is not None:
        return await _refused(visit, key_verdict=registration.verdict(rule))
    return visit.redirect(f"/vocabulary/tag:{key}", "tag-declared")


async def set_modes(visit: Visit) -> Response:
    """Set what becomes of unregistered terms, for each kind whose mode is another than before."""
    tenant_id = visit.person.tenant_id
    wanted = {kind: _MODES.get(visit.form.text(name)) for name, kind in _MODED.items()}
    async with visit.act() as connection:
        modes = (await tenants.read(connection, tenant_id)).modes
        for kind, mode in wanted.items():
            if mode is None:
                raise NotFound
            if mode is not modes[kind]:
                await tenants.set_mode(connection, tenant_id, kind, mode)
    return visit.redirect("/vocabulary", "modes-set")


PAGES = (
    Page(
        path="/vocabulary/register", name="vocabulary-register", title="Vocabulary", roles=MANAGERS, handler=register,
        method="POST",
    ),
    Page(
        path="/vocabulary/retire", name="vocabulary-retire", title="Vocabulary", roles=MANAGERS, handler=retire,
        method="POST",
    ),
    Page(
        path="/vocabulary/declare", name="vocabulary-declare", title="Vocabulary", roles=MANAGERS, handler=declare,
        method="POST",
    ),
    Page(
        path="/vocabulary/modes", name="vocabulary-modes", title="Vocabulary", roles=MANAGERS, handler=set_modes,
        method="POST",
    ),
)  # fmt: skip
