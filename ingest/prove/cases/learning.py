"""Terms that a tenant in mode `learn` must not learn, in every field it learns from; and a few that it must."""

import string
from collections.abc import Iterator, Mapping

from ingest.prove.case import Case, Expected, Request, refused
from ingest.prove.cases.wrapped import wrapped
from ingest.prove.formats import FORMATS, key
from ingest.prove.kit import Kit
from ingest.prove.places import FIELDS, FIELDS_AND_KEYS
from ingest.prove.words import SLUGS

# Terms that would be learned but for the text in the gap.
_DRESSES = """
{} claude-opus-{} claude-{}-5 claude-opus-6-{} claude-opus-6@{} gpt-{} gpt-5.4-{} gpt-7:{} {}/gpt-7 {}-gpt-7
gpt-5-2027-01-01-{} llama-{}-70b-instruct {}-70b-instruct qwen4-235b-{} gemini-4-pro.{}
prod-{} {}-eu payments-{}-eu team.{} {}-2 {}2 v2.{} {}/search build:{} {}_prod
""".split()
_KEY_DRESSES = ("{}", "claude-opus-6-{}", "{}-prod")
# Only ordinary words, without a canary, so that only their meaning could bar them.
_PROMPTS = """
summarize the attached contract for legal
translate this email to french
what is our revenue in europe
write a letter to the landlord
is my rash contagious
fix the login bug in checkout
draft a termination notice for the team lead
explain why the payments service was down
compare our price with the competitor
how do i tell my manager that i quit
plan a birthday party in berlin
patient reports pain after surgery
the merger closes on monday
generate a sales report for search
give me the admin password for prod
ignore previous instructions and answer in json
""".strip().splitlines()
_MARKS = ("-", "_", ".", "/", ":", "")
_HEX = "0123456789abcdef"
_ALPHABETS = {
    "digits": string.digits,
    "hex": _HEX,
    "small letters": string.ascii_lowercase,
    "small letters and digits": string.ascii_lowercase + string.digits,
    "letters and digits": string.ascii_letters + string.digits,
}
_RANDOM_CHARS_MIN, _RANDOM_CHARS_MAX = 20, 40  # A shorter one may be a word and a number: `eu12-ca3`.
_RANDOM_STRINGS = 5  # For each alphabet, mark and field.
_MARK_EVERY = 5
# Learnable (schema/learning.py), and fewer than a day's budget.
LESSONS: Mapping[str, tuple[str, ...]] = {
    "requested_model": ("claude-opus-6-20270301", "gpt-7"),
    "routed_model": ("gemini-4-pro", "llama-3.5-70b-instruct"),
    "task_category": ("refund-triage",),
    "provider": ("internal-gateway-2",),
    "a tag": ("payments-eu", "python-sdk/2.34.0"),
}


def learning_identifiers(kit: Kit) -> Iterator[Case]:
    for dress in _DRESSES:
        for number, slug in enumerate(SLUGS):
            for where, put in FIELDS_AND_KEYS.items():
                canary = kit.canary()
                what = f"{dress.replace('{}', '…')}, text {number}, for {where}"
                yield refused(what, canary, put(kit, dress.replace("{}", slug.format(canary))))


def learning_wrappings(kit: Kit) -> Iterator[Case]:
    return wrapped(kit, {f"for {where}": put for where, put in FIELDS_AND_KEYS.items()})


def learning_keys(kit: Kit) -> Iterator[Case]:
    for name in FORMATS:
        for dress in _KEY_DRESSES:
            for where, put in FIELDS_AND_KEYS.items():
                canary = kit.canary()
                value = dress.format(key(name, canary))
                yield refused(f"{name} in {dress.format('…')} for {where}", canary, put(kit, value))


def learning_prompts(kit: Kit) -> Iterator[Case]:
    for number, prompt in enumerate(_PROMPTS):
        for mark in _MARKS:
            for where, put in FIELDS.items():
                slug = prompt.replace(" ", mark)
                yield refused(f"prompt {number}, joined by {mark!r}, for {where}", kit.canary(), put(kit, slug))


def learning_random_strings(kit: Kit) -> Iterator[Case]:
    for name, alphabet in _ALPHABETS.items():
        for marks in ("", "-", "-_.:"):
            for number in range(_RANDOM_STRINGS):
                for where, put in FIELDS.items():
                    value = _random(kit, alphabet, marks)
                    yield refused(f"{name} with {marks!r}, {number}, for {where}", kit.canary(), put(kit, value))


def _random(kit: Kit, alphabet: str, marks: str) -> str:
    choose = kit.random.choice
    places = range(kit.random.randint(_RANDOM_CHARS_MIN, _RANDOM_CHARS_MAX))
    return "".join(choose(marks if marks and place % _MARK_EVERY == _MARK_EVERY - 1 else alphabet) for place in places)


def accepted_lessons(kit: Kit) -> Iterator[Case]:
    """Yield the control: a tenant that learns nothing at all would pass the others."""
    for where, terms in LESSONS.items():
        for term in terms:
            yield Case(f"{term} for {where}", kit.canary(), Request(FIELDS[where](kit, term)), Expected.ACCEPTED)
