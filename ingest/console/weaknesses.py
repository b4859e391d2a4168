"""The sentences about a new password that is too weak."""

from collections.abc import Mapping

from ingest.accounts.errors import Weakness

WEAKNESSES: Mapping[Weakness, str] = {
    "too-short": "Choose at least 12 characters. Four or five words that do not belong together are easy to remember.",
    "too-long": "Choose at most 1,024 bytes.",
    "too-common": "This is among the first passwords that somebody would try. Choose another.",
    "like-the-address": "Choose one without your address or the name of your organisation.",
}
