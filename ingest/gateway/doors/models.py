"""Anthropic's list of models, and one of them."""

import re

from ingest.gateway.records import Door

MODELS = Door("models", "GET", "anthropic", "messages", has_body=False, is_reported=False)
DOORS = {b"/v1/models": MODELS}
ONE = re.compile(rb"/v1/models/[A-Za-z0-9][A-Za-z0-9._:@-]{0,255}")  # Not `..`, which is another path upstream.
