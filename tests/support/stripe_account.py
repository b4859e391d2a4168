"""A Stripe account that exists in memory: customers, invoices, credit notes, charges and events, with Stripe's rules.

It is our own model of the documented behaviour, not Stripe; `stripe_server` speaks its HTTP. What hand-overs rely on is
in it: idempotency keys that replay and expire, metadata, lists that are exact and searches that lag, an invoice that is
finalized once and then collected by itself.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

KEY_S = 86_400.0
SEARCH_LAG_S = 60.0
Json = dict[str, object]
Form = dict[str, str]
_QUERY = re.compile(r"metadata\['(\w+)'\]:'([^']*)'")


class ApiError(Exception):
    def __init__(self, status: int, kind: str, code: str) -> None:
        super().__init__()
        self.status, self.kind, self.code = status, kind, code

    def body(self) -> Json:
        # Real messages quote what was sent; a canary in a parameter must not reach a log by them.
        return {"error": {"type": self.kind, "code": self.code, "message": f"{self.code}: as you sent it"}}


def _missing() -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, "invalid_request_error", "resource_missing")


def _bad(code: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, "invalid_request_error", code)


def _metadata(form: Form) -> Json:
    return {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")}


@dataclass
class Account:
    """`now` is Unix time, which a test moves."""

    now: float = 1_800_000_000.0
    pays_at_once: bool = True  # Customers have a payment method, and it works.
    customers: dict[str, Json] = field(default_factory=dict)
    items: dict[str, Json] = field(default_factory=dict)
    invoices: dict[str, Json] = field(default_factory=dict)
    credit_notes: dict[str, Json] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)
    charges: list[tuple[str, int]] = field(default_factory=list)  # By invoice: what customers' money was taken for.
    balance_cents: int = 0
    keys: dict[str, tuple[str, float, int, Json]] = field(default_factory=dict)
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def post(self, path: str, form: Form, key: str) -> tuple[int, Json]:
        """Answer a POST; with a known key replay the answer."""
        fingerprint = repr((path, sorted(form.items())))
        known = self.keys.get(key)
        if known is not None and self.now - known[1] < KEY_S:
            if known[0] != fingerprint:
                error = ApiError(HTTPStatus.BAD_REQUEST, "idempotency_error", "idempotency_error")
                return error.status, error.body()
            return known[2], known[3]
        try:
            status, body = HTTPStatus.OK, self._act(path, form)
        except ApiError as error:  # Refused before anything began: not kept with the key.
            return error.status, error.body()
        self.keys[key] = fingerprint, self.now, status, body
        return status, body

    def fail(self, path: str, form: Form, key: str) -> None:
        """Keep a 500 as the answer of a key; the request did nothing."""
        body = ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "api_error", "api_error").body()
        self.keys[key] = repr((path, sorted(form.items()))), self.now, HTTPStatus.INTERNAL_SERVER_ERROR, body

    def get(self, path: str, query: Form) -> Json:  # noqa: PLR0911 (a route each)
        match path.strip("/").split("/")[1:]:
            case ["customers", "search"]:
                return self._search(self.customers, query)
            case ["invoices", "search"]:
                return self._search(self.invoices, query)
            case ["invoices", known]:
                return self._found(self.invoices, known)
            case ["customers", known]:
                return self._found(self.customers, known)
            case ["invoices"]:
                return self._list(self.invoices, query, "customer")
            case ["invoiceitems"]:
                return self._list(self.items, query, "invoice")
            case ["credit_notes"]:
                return self._list(self.credit_notes, query, "invoice")
        raise _missing()

    def _act(self, path: str, form: Form) -> Json:
        match path.strip("/").split("/")[1:]:
            case ["customers"]:
                return self._made(self.customers, "cus_", {"object": "customer", "metadata": _metadata(form)})
            case ["invoices"]:
                return self._draft(form)
            case ["invoiceitems"]:
                return self._item(form)
            case ["invoices", known, "finalize"]:
                return self._finalize(self._found(self.invoices, known), form)
            case ["invoices", known, "pay"]:
                return self.pay(known)
            case ["credit_notes"]:
                return self._credit(form)
        raise _missing()

    def _draft(self, form: Form) -> Json:
        if form["customer"] not in self.customers:
            raise _bad("resource_missing")
        if form["collection_method"] == "send_invoice" and "days_until_due" not in form:
            raise _bad("parameter_missing")
        return self._made(self.invoices, "in_", {
            "object": "invoice", "customer": form["customer"], "currency": form["currency"], "status": "draft",
            "auto_advance": form.get("auto_advance") == "true", "collection_method": form["collection_method"],
            "metadata": _metadata(form), "total": 0, "amount_due": 0, "amount_paid": 0, "amount_remaining": 0,
            "status_transitions": {"paid_at": None},
        })  # fmt: skip

    def _item(self, form: Form) -> Json:
        invoice = self._found(self.invoices, form["invoice"])
        if invoice["status"] != "draft":
            raise _bad("invoice_not_editable")
        if form["currency"] != invoice["currency"]:
            raise _bad("currency_mismatch")
        cents = int(form["amount"])
        invoice["total"] = cast(int, invoice["total"]) + cents
        return self._made(self.items, "ii_", {
            "object": "invoiceitem", "invoice": invoice["id"], "customer": form["customer"], "amount": cents,
            "currency": form["currency"], "description": form.get("description"), "metadata": _metadata(form),
        })  # fmt: skip

    def _finalize(self, invoice: Json, form: Form) -> Json:
        if invoice["status"] != "draft":
            raise _bad("invoice_already_finalized")
        total = cast(int, invoice["total"])
        invoice["status"], invoice["auto_advance"] = "open", form.get("auto_advance") == "true"
        invoice["amount_due"] = invoice["amount_remaining"] = max(0, total)
        self._note("invoice.finalized", invoice)
        if total <= 0:
            self.balance_cents -= total
            self._paid(invoice)
        elif invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically" and self.pays_at_once:
            self.pay(cast(str, invoice["id"]))
        return dict(invoice)

    def pay(self, known: str) -> Json:
        """Take the customer's money for what is still open of an invoice."""
        invoice = self._found(self.invoices, known)
        if invoice["status"] != "open":
            raise _bad("invoice_not_open")
        cents = cast(int, invoice["amount_remaining"])
        self.charges.append((known, cents))
        invoice["amount_paid"] = cast(int, invoice["amount_paid"]) + cents
        self._paid(invoice)
        return dict(invoice)

    def _paid(self, invoice: Json) -> None:
        invoice["status"], invoice["amount_remaining"] = "paid", 0
        invoice["status_transitions"] = {"paid_at": int(self.now)}
        self._note("invoice.paid", invoice)

    def _credit(self, form: Form) -> Json:
        invoice = self._found(self.invoices, form["invoice"])
        cents, balance = int(form["amount"]), int(form.get("credit_amount", "0"))
        remaining = cast(int, invoice["amount_remaining"])
        if invoice["status"] not in {"open", "paid"} or cents - balance > remaining or balance > cents:
            raise _bad("credit_note_amount_invalid")
        if 0 < remaining != cents - balance and balance:
            raise _bad("credit_note_amount_invalid")
        self.balance_cents += balance
        invoice["amount_remaining"] = remaining - (cents - balance)
        if invoice["status"] == "open" and invoice["amount_remaining"] == 0:
            self._paid(invoice)
        return self._made(self.credit_notes, "cn_", {
            "object": "credit_note", "invoice": invoice["id"], "amount": cents, "status": "issued",
            "metadata": _metadata(form),
        })  # fmt: skip

    def _made(self, into: dict[str, Json], prefix: str, values: Json) -> Json:
        made = {"id": f"{prefix}standin{next(self._ids):06d}", "created": int(self.now), "livemode": False, **values}
        into[cast(str, made["id"])] = made
        return dict(made)

    def _note(self, kind: str, about: Json) -> None:
        self.events.append({
            "id": f"evt_standin{next(self._ids):06d}", "object": "event", "type": kind, "created": int(self.now),
            "data": {"object": dict(about)}, "livemode": False, "api_version": "2026-10-28.endive",
        })  # fmt: skip

    @staticmethod
    def _found(among: dict[str, Json], known: str) -> Json:
        if known not in among:
            raise _missing()
        return among[known]

    @staticmethod
    def _list(among: dict[str, Json], query: Form, by: str) -> Json:
        """Return a page, the newest first, as Stripe does."""
        rows = [each for each in reversed(among.values()) if each[by] == query.get(by, each[by])]
        if "starting_after" in query:
            place = next(place for place, each in enumerate(rows, 1) if each["id"] == query["starting_after"])
            rows = rows[place:]
        limit = int(query.get("limit", "10"))
        return {"object": "list", "url": "/v1/list", "data": rows[:limit], "has_more": len(rows) > limit}

    def _search(self, among: dict[str, Json], query: Form) -> Json:
        wanted = _QUERY.fullmatch(query["query"])
        assert wanted
        rows = [
            each for each in among.values()
            if cast(Json, each["metadata"]).get(wanted[1]) == wanted[2]
            and self.now - cast(int, each["created"]) >= SEARCH_LAG_S
        ]  # fmt: skip
        return {"object": "search_result", "url": "/v1/search", "data": rows, "has_more": False}
