"""Adds up the pages, and makes routes of them. A subject's file of `pages` exports `PAGES`; add it here."""

from collections.abc import Sequence

from ingest.console.page import Page, PublicPage
from ingest.console.pages import (
    account,
    agreements,
    arrivals,
    audit,
    authenticator,
    billing,
    budgets,
    claims,
    data,
    home,
    insights,
    legal,
    links,
    mail,
    overview,
    people,
    promise,
    refusals,
    routing,
    routing_table,
    sign_in,
    tokens,
    unsubscribing,
    usage,
    vocabulary,
    vocabulary_acts,
    webhooks,
)

# In the order of the navigation.
PAGES: Sequence[Page] = (
    *home.PAGES,
    *overview.PAGES,
    *usage.PAGES,
    *routing.PAGES,
    *routing_table.PAGES,
    *arrivals.PAGES,
    *refusals.PAGES,
    *vocabulary_acts.PAGES,  # Before `/vocabulary/{kind}`.
    *vocabulary.PAGES,
    *tokens.PAGES,
    *budgets.PAGES,
    *webhooks.PAGES,
    *billing.PAGES,
    *data.PAGES,
    *people.PAGES,
    *mail.PAGES,
    *audit.PAGES,
    *promise.PAGES,
    *agreements.PAGES,
    *account.PAGES,
    *authenticator.PAGES,
    *sign_in.PAGES,
)
PUBLIC: Sequence[PublicPage] = (
    *sign_in.PUBLIC,
    *links.PUBLIC,
    *legal.PUBLIC,
    *claims.PUBLIC,
    *insights.PUBLIC,
    *unsubscribing.PUBLIC,
)
NAMES = frozenset((*(page.name for page in PAGES), *(page.name for page in PUBLIC)))
assert len(NAMES) == len(PAGES) + len(PUBLIC)  # Each has a name of its own.
