"""Every bound of the contract, with their relations asserted; `GET /v1/policy` publishes them."""

WIRE_BYTES_MAX = 4_194_304  # A body as received.
BODY_BYTES_MAX = 4_194_304  # The same body after decompression.
EVENTS_MAX = 5_000  # In one batch.
LISTED_MAX = 6 * EVENTS_MAX  # Terms listed beside columns: an event has six strings.
NAMES_MAX = 1_000  # Unknown names in one object that the explain path examines.
VALUE_BYTES_MAX = 2_048  # Of one refused value that the explain path examines,
VALUES_BYTES_MAX = 16_384  # and of all values in a body.
VIOLATIONS_MAX = 100  # In one refusal.

# Ids of terms, by kind; 0 is `unknown`. `OWN_IDS` in event.py says which are the tenant's own.
TASK_CATEGORIES_MAX = 256
PROVIDERS_MAX = 1_024
MODELS_MAX = 32_768
TAG_KEYS_MAX = 256
TAG_VALUES_MAX = 16_384
TERM_ID_MAX = 32_767  # smallint
TERM_CHARS_MAX = 96
STRING_CHARS_MAX = 1_024  # Of a string sent as a term: mode coarsen accepts longer ones than can be registered.
TAGS_MAX = 4  # On one event.
MODEL_CHARS_MAX = 192  # Of a model id as sent: an ARN or a router's name may precede the term.
SPELLING_PARTS_MAX = 4  # Prefixes of a term in an id, and as many suffixes.
SPELLINGS_MAX = 500  # Unregistered strings resolved per batch and kind: each takes about ten microseconds.
STRINGS_CACHED_MAX = 4_096  # Resolved strings, per tenant and kind.
assert SPELLINGS_MAX <= STRINGS_CACHED_MAX
assert max(TASK_CATEGORIES_MAX, PROVIDERS_MAX, MODELS_MAX, TAG_KEYS_MAX, TAG_VALUES_MAX) <= TERM_ID_MAX + 1
assert TERM_CHARS_MAX <= MODEL_CHARS_MAX <= STRING_CHARS_MAX < VALUE_BYTES_MAX

INPUT_TOKENS_MAX = 10_000_000  # The largest context window on sale is 10 M tokens (Llama 4 Scout).
OUTPUT_TOKENS_MAX = 2_000_000
COST_NANOUSD_MAX = 1_000_000_000_000  # 1,000 USD for one request.
LATENCY_MS_MAX = 864_000_000  # 10 days: batch APIs answer within 24 hours, some within 7 days after queueing.
LATENCY_DIGITS = 3  # Significant digits that are stored.
assert LATENCY_MS_MAX % 10 ** (len(str(LATENCY_MS_MAX)) - LATENCY_DIGITS) == 0, "rounding would exceed it"
HTTP_STATUS_MIN, HTTP_STATUS_MAX = 100, 599  # RFC 9110, section 15: a three-digit code of five classes.
SEQUENCE_MAX = 2**53 - 1  # Exact in every JSON reader (RFC 8259, section 6).
DROPPED_MAX = 2**31 - 1

RETENTION_DAYS_MAX = 400
AHEAD_MS_MAX = 300_000  # How far an event's clock may run ahead of ours.
STREAM_MS_MAX = RETENTION_DAYS_MAX * 86_400_000  # How long ago a stream may have started.

LEARN_PER_DAY_MAX = 50  # New terms of one kind that one tenant's traffic may register per day,
LEARN_TOTAL_MAX = 500  # and in total. Beyond that: `nocontent vocabulary add`.
assert LEARN_PER_DAY_MAX <= LEARN_TOTAL_MAX <= MODELS_MAX // 2

EVENT_BITS_MAX = 465  # What one stored event can hold; `ingest.knowledge.capacity` computes it.
BATCH_BITS_MAX = 460  # What the ledger's row for a batch can hold.
