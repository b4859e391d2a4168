"""Makes the processor that the settings name; only this imports Stripe's SDK, and only if it is needed."""

from ingest import config
from ingest.errors import CannotStart
from ingest.usage.processor import settings
from ingest.usage.processor.manual import Manual
from ingest.usage.processor.processor import Processor
from ingest.usage.processor.settings import PaymentSettings


def make(wanted: PaymentSettings) -> Processor:
    """Return the processor; raises CannotStart."""
    if wanted.payment_processor == "manual":
        return Manual()
    key = settings.api_key(wanted)
    config.forget("STRIPE_LOG")  # With it set, the SDK prints parameters.
    try:
        from ingest.usage.processor import stripe_calls, stripe_processor  # noqa: PLC0415 (most processes need no SDK)
    except ImportError:
        raise CannotStart("NOCONTENT_PAYMENT_PROCESSOR is stripe: install nocontent[billing].") from None
    collection = stripe_processor.Collection(wanted.stripe_collection, wanted.stripe_days_until_due)
    return stripe_processor.Stripe(stripe_calls.Calls(key, wanted.stripe_api_base), collection)
