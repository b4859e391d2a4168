"""Rules of FOCUS 1.2 for the columns of a file, transcribed from the specification: each value's type, null or not."""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping

Row = dict[str, str]
_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+\Z")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
Rule = Callable[[str], bool]


def _is_decimal(value: str) -> bool:
    return _DECIMAL.match(value) is not None


def _is_time(value: str) -> bool:
    return _TIME.match(value) is not None


def _is_text(value: str) -> bool:
    return bool(value.strip())


def _is_null(value: str) -> bool:
    return not value


def _is_key_values(value: str) -> bool:
    try:
        found = json.loads(value)
    except ValueError:
        return False
    return isinstance(found, dict) and all(isinstance(each, str | bool | int) for each in found.values())


def _are_details(value: str) -> bool:
    return _is_key_values(value) and all(name.startswith("x_") for name in json.loads(value))


def _one_of(*allowed: str) -> Rule:
    return lambda value: value in allowed


# "Presence: mandatory" in the specification's columns; ChargeClass is null unless a charge corrects an earlier period.
MANDATORY: Mapping[str, Rule] = {
    "BilledCost": _is_decimal,
    "BillingAccountId": _is_text,
    "BillingAccountName": _is_text,
    "BillingCurrency": _one_of("USD"),  # ISO 4217.
    "BillingPeriodEnd": _is_time,
    "BillingPeriodStart": _is_time,
    "ChargeCategory": _one_of("Usage"),
    "ChargeClass": _is_null,
    "ChargeDescription": _is_text,
    "ChargePeriodEnd": _is_time,
    "ChargePeriodStart": _is_time,
    "ContractedCost": _is_decimal,
    "EffectiveCost": _is_decimal,
    "InvoiceIssuerName": _is_text,
    "ListCost": _is_decimal,
    "PricingQuantity": _is_decimal,
    "PricingUnit": _one_of("Tokens"),
    "ProviderName": _is_text,
    "PublisherName": _is_text,
    "ServiceCategory": _one_of("AI and Machine Learning"),
    "ServiceName": _is_text,
}
# Conditional and recommended columns that we have; the two names of hosts and providers are of 1.3.
OTHERS: Mapping[str, Rule] = {
    "ChargeFrequency": _one_of("Usage-Based"),
    "ConsumedQuantity": _is_decimal,
    "ConsumedUnit": _one_of("Tokens"),
    "HostProviderName": _is_text,
    "InvoiceId": _is_null,
    "PricingCategory": _one_of("Standard"),
    "ServiceProviderName": _is_text,
    "ServiceSubcategory": _one_of("Generative AI"),
    "SkuId": _is_text,
    "SkuMeter": _is_text,
    "SkuPriceDetails": _are_details,
    "SkuPriceId": _is_text,
    "Tags": _is_key_values,
}
_PERIODS = ("BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodEnd")


def read(data: bytes) -> list[Row]:
    """Return the rows of a file; every line must have all columns."""
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))


def broken(rows: list[Row]) -> set[str]:
    """Return the columns that break a rule, or are missing."""
    rules = {**MANDATORY, **OTHERS}
    own = {name for row in rows for name in row if name not in rules}
    found = {name for name in own if not re.fullmatch(r"x_[A-Z][A-Za-z0-9]*", name)}
    for row in rows:
        found |= {name for name, rule in rules.items() if name not in row or not rule(row[name])}
        periods = [row.get(name, "") for name in _PERIODS]  # Times of one form, so their text is in their order.
        if sorted(periods) != periods or periods[1] == periods[2]:
            found.add("ChargePeriodStart")
    return found
