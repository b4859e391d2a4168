"""Writes usage as rows of FOCUS 1.2, the FinOps Open Cost and Usage Specification, with the names that 1.3 adds.

Money is made of integers of nano-USD, and every one of its nine places is written.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson

from ingest.rights.exporting.writers import guarded
from ingest.store.rights.focus import DayOfUse

VERSION = "1.2"
CURRENCY = "USD"
_NANO = 1_000_000_000
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
COLUMNS = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "HostProviderName",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "ServiceProviderName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "Tags",
    "x_BaselineCost",
    "x_BaselineRequests",
    "x_CacheReadTokens",
    "x_CacheWrite1hTokens",
    "x_CacheWrite5mTokens",
    "x_ComputedCost",
    "x_ComputedCostRequests",
    "x_InputTokens",
    "x_ListPricedRequests",
    "x_OutputTokens",
    "x_PriceState",
    "x_ReasoningTokens",
    "x_ReportedCost",
    "x_ReportedCostRequests",
    "x_RequestedModel",
    "x_Requests",
    "x_RoutedModel",
    "x_SavingsCost",
    "x_SavingsRequests",
    "x_Status",
    "x_TaskCategory",
    "x_UnpricedRequests",
)


class Account(NamedTuple):
    """The tenant whose usage is billed."""

    tenant_id: int
    name: str


def header() -> bytes:
    """Return the first line of a file."""
    return _lines([COLUMNS])


def lines(found: Iterable[DayOfUse], account: Account) -> bytes:
    """Return a line of CSV for each row (RFC 4180)."""
    rows = (row(each, account) for each in found)
    return _lines([[each[name] for name in COLUMNS] for each in rows])


def row(day: DayOfUse, account: Account) -> dict[str, str]:
    """Return a row by column; an empty string is null."""
    return {**_account(account), **_period(day.at), **_service(day), **_costs(day.measures), **_own(day)}


def money(nanousd: int) -> str:
    """Return nano-USD in USD, exactly."""
    whole, rest = divmod(abs(nanousd), _NANO)
    return f"{'-' if nanousd < 0 else ''}{whole}.{rest:09d}"


def price_state(measures: Mapping[str, int]) -> str:
    """Return the origin of the costs: `reported`, `computed`, `mixed`, `partial` (some have none) or `unpriced`."""
    if measures["unpriced_events"]:
        return "unpriced" if measures["unpriced_events"] == measures["events"] else "partial"
    if not measures["computed_cost_events"]:
        return "reported"
    return "mixed" if measures["reported_cost_events"] else "computed"


def _account(account: Account) -> dict[str, str]:
    return {
        "BillingAccountId": f"tenant-{account.tenant_id}",
        "BillingAccountName": guarded(account.name),
        "BillingCurrency": CURRENCY,
    }


def _period(at: datetime) -> dict[str, str]:
    month = at.replace(day=1)
    return {
        "BillingPeriodStart": _time(month),
        "BillingPeriodEnd": _time((month + timedelta(days=31)).replace(day=1)),
        "ChargePeriodStart": _time(at),
        "ChargePeriodEnd": _time(at + timedelta(days=1)),
    }


def _service(day: DayOfUse) -> dict[str, str]:
    provider, sku = guarded(day.provider), f"{day.provider}/{day.routed_model}"
    return {
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": f"Tokens of {day.routed_model} from {day.provider}",
        "ChargeFrequency": "Usage-Based",
        "HostProviderName": provider,
        "InvoiceId": "",  # The provider's invoices are not known here.
        "InvoiceIssuerName": provider,
        "ProviderName": provider,
        "PublisherName": provider,
        "ServiceProviderName": provider,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "ServiceName": f"{provider} API",
        "SkuId": guarded(sku),
        "SkuPriceId": guarded(sku),
        "SkuMeter": "Tokens",
        "SkuPriceDetails": _json({"x_ModelId": day.routed_model, "x_RequestedModel": day.requested_model}),
        "Tags": _json(day.tags),
    }


def _costs(measures: Mapping[str, int]) -> dict[str, str]:
    effective = measures["reported_cost_nanousd"] + measures["computed_cost_nanousd"]
    by_book = measures["checked_list_cost_nanousd"] + measures["computed_cost_nanousd"]
    tokens = f"{sum(measures[name] for name in _TOKENS)}.0"  # Readers that infer types take it for a decimal.
    return {
        "BilledCost": money(0),  # The provider is paid by the customer, and bills this usage itself.
        "ContractedCost": money(effective),
        "EffectiveCost": money(effective),
        # The column may not be null, and a sum of which the book knows only a part would be no list price.
        "ListCost": money(effective if measures["unchecked_events"] else by_book),
        "ConsumedQuantity": tokens,
        "ConsumedUnit": "Tokens",
        "PricingCategory": "Standard",
        "PricingQuantity": tokens,
        "PricingUnit": "Tokens",
    }


def _own(day: DayOfUse) -> dict[str, str]:
    measures = day.measures
    saved = measures["savings_reported_nanousd"] + measures["savings_priced_nanousd"]
    return {
        "x_BaselineCost": money(measures["baseline_cost_nanousd"]),
        "x_BaselineRequests": str(measures["baseline_events"]),
        "x_CacheReadTokens": str(measures["cache_read_tokens"]),
        "x_CacheWrite1hTokens": str(measures["cache_write_1h_tokens"]),
        "x_CacheWrite5mTokens": str(measures["cache_write_5m_tokens"]),
        "x_ComputedCost": money(measures["computed_cost_nanousd"]),
        "x_ComputedCostRequests": str(measures["computed_cost_events"]),
        "x_InputTokens": str(measures["input_tokens"]),
        "x_ListPricedRequests": str(measures["checked_events"] + measures["computed_cost_events"]),
        "x_OutputTokens": str(measures["output_tokens"]),
        "x_PriceState": price_state(measures),
        "x_ReasoningTokens": str(measures["reasoning_tokens"]),
        "x_ReportedCost": money(measures["reported_cost_nanousd"]),
        "x_ReportedCostRequests": str(measures["reported_cost_events"]),
        "x_RequestedModel": guarded(day.requested_model),
        "x_Requests": str(measures["events"]),
        "x_RoutedModel": guarded(day.routed_model),
        "x_SavingsCost": money(saved),
        "x_SavingsRequests": str(measures["baseline_events"] + measures["savings_priced_events"]),
        "x_Status": day.status,
        "x_TaskCategory": guarded(day.task_category),
        "x_UnpricedRequests": str(measures["unpriced_events"]),
    }


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _json(values: Mapping[str, str]) -> str:
    return orjson.dumps(values).decode()


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
