"""The reasons to refuse a body, best explanation first. Ids never change; docs/rules.md has a row for each.

A rule explains a refusal or adds one; none can let anything in. Patterns have no nested repetition, so they take time
linear in their input, which is bounded (`limits.VALUE_BYTES_MAX`).
"""

import re
from typing import NamedTuple

from .event import Word


class Rule(NamedTuple):
    """A reason to refuse; `says` is a sentence about what the sender should do, and quotes no value."""

    id: str
    says: str
    pattern: re.Pattern[str] | None = None  # Of values that break it.
    names: frozenset[str] = frozenset()  # Of fields and tag keys, as `normalised` writes them.


class Violation(NamedTuple):
    """A broken rule and its place, never the value. A pointer has contract names only; any other name is `*`."""

    rule: str
    pointer: str
    use: Word | None = None  # The contract's word for the value, if a well-known one.


def normalised(name: str) -> str:
    """Return a name without case and separators, so that `userPrompt`, `user_prompt` and `user.prompt` are equal."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _secret(name: str, pattern: str) -> Rule:
    return Rule(f"secret.{name}", "Remove the credential, and revoke it where it was issued.", re.compile(pattern))


def _content(name: str, names: str) -> Rule:
    says = "Remove the field: nothing that a person or a model wrote may be sent."
    return Rule(f"content.{name}", says, names=frozenset(names.split()))


SECRETS = (
    _secret("private-key", r"-----BEGIN|AGE-SECRET-KEY-1|\bssh-(?:rsa|ed25519)[ :/]AAAA|\bAAAAB3NzaC1|\bAAAAC3NzaC1"),
    _secret("anthropic-key", r"\bsk-ant-[a-z0-9]+-"),
    _secret("openrouter-key", r"\bsk-or-v1-"),
    _secret("langfuse-key", r"\b[sp]k-lf-"),
    _secret("openai-key", r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20}"),
    _secret("stripe-key", r"\b(?:[spr]k_(?:live|test)_[A-Za-z0-9]{8})"),
    _secret("google-key", r"\b(?:AIza[A-Za-z0-9_-]{20}|ya29\.|GOCSPX-)"),
    _secret("aws-key", r"\b(?:(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12}|ABSK[A-Za-z0-9+/]{20})"),
    _secret("model-host-key", r"\b(?:(?:gsk_|xai-|pplx-|hf_|r8_|nvapi-|jina_|tvly-|pa-|fw_|esecret_|api_org_|rpa_|"
            r"csk-|fc-|co_|tgp_v1_|nk-|sk_|ls__|BSA|e2b_|apify_api_|bb_(?:live|test)_|rdme_|sess-|"
            r"sk-helicone-)[A-Za-z0-9_]{20}|A[ks]-[A-Za-z0-9]{20}|a[ks]-[A-Za-z0-9]{20})"),
    _secret("vector-store-key", r"\b(?:pcsk_[A-Za-z0-9]{8}|ckey_[A-Za-z0-9]{16}|"
            r"sb_(?:secret|publishable)_[A-Za-z0-9_-]{16}|napi_[a-z0-9]{16})"),
    _secret("observability-key", r"\b(?:(?:lsv2_|phx_|phc_|glsa_|glc_|NRAK-|NRII-|NRJS-|NRRA-|dd_api_|ddapi_|sntrys_|"
            r"sntryu_)[A-Za-z0-9_]{8}|dt0[a-z][0-9]{2}\.[A-Z0-9]{16}|hcaik_|wandb_v1_|"
            r"(?:sdk|mob|api)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-|secret-[A-Za-z0-9]{32}|"
            r"[ps]k_(?:live|test|prod|dev)_[A-Za-z0-9]{16})"),
    _secret("github-token", r"\b(?:gh[pousr]_[A-Za-z0-9]{16}|github_pat_|"
            r"gl(?:pat|dt|rt|rtr|ptt|ft|imt|agent|oas|soat|cbt|wt)-[A-Za-z0-9_-]{16}|GR1348941[A-Za-z0-9_-]{16}|"
            r"ATBB[A-Za-z0-9]{20}|sgp_[A-Za-z0-9_]{20})"),
    _secret("slack-token", r"\b(?:xox[abceoprs]-|xoxe\.|xapp-[0-9]|hooks\.slack\.com/services/|"
            r"[0-9]{8,10}:AA[A-Za-z0-9_-]{30}|[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27})"),
    _secret("package-registry-token", r"\b(?:npm_[A-Za-z0-9]{16}|pypi-AgEI|dckr_[op]at_|rubygems_[a-f0-9]{16}|"
            r"oy2[a-z0-9]{40}|AKCp[A-Za-z0-9]{20}|cmVmd[A-Za-z0-9]{20}|CLOJARS_[a-z0-9]{20}|cio[A-Za-z0-9]{32})"),
    _secret("cloud-token", r"\b(?:dapi[a-f0-9]{16}|do[opr]_v1_|hv[bsr]\.|dp\.(?:pt|st|ct|sa|scim|audit)\.|tskey-|"
            r"pscale_|sbp_|LTAI[A-Za-z0-9]{12}|atlasv1\.|HRKU-|fo1_[A-Za-z0-9_-]{16}|FlyV1|sha256~|pul-[a-f0-9]{20}|"
            r"pnu_[A-Za-z0-9]{16}|bk(?:ua|ct|aj)_[a-z0-9]{16}|CCIPAT_|nfp_[A-Za-z0-9]{16}|rnd_[A-Za-z0-9]{16}|"
            r"CFPAT-|dnkey-|t1\.[A-Z0-9a-z_-]{30}|AQVN[A-Za-z0-9_-]{20}|y[0-3]_[A-Za-z0-9_-]{30}|API-[A-Z0-9]{25}|"
            r"co\.[a-z0-9]{20}|[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{20}|4b1d[A-Za-z0-9]{38}|signkey-|"
            r"tr_(?:dev|prod|stg)_[A-Za-z0-9]{16}|cloudinary:)"),
    _secret("saas-token", r"\b(?:SG\.[\w-]{16}|lin_(?:api|oauth)_|ntn_[A-Za-z0-9]{16}|secret_[A-Za-z0-9]{20}|PMAK-|"
            r"shp(?:at|ca|pa|ss)_|sq0[a-z]{3}-|EAAA[A-Za-z0-9_-]{20}|EAA[CM][A-Za-z0-9]{20}|key-[0-9a-f]{32}|ops_ey|"
            r"A3-[A-Z0-9]{6}-|p8e-|ATATT3|ATCTT3|rzp_(?:live|test)_|(?:pub|sub|sec)-c-|(?:SK|AC)[0-9a-f]{32}|"
            r"xkeysib-|xsmtpsib-|[0-9a-f]{32}-us[0-9]{1,2}|[ps]k\.ey|EZ[AT]K[A-Za-z0-9]{20}|FLW(?:PUB|SEC)K|fio-u-|"
            r"pat-(?:na|eu)[0-9]-|ico-[A-Za-z0-9]{20}|sm_(?:aat|pat|sat)_|shippo_(?:live|test)_|whsec_|"
            r"tfp_[A-Za-z0-9]{20}|zpka_|pat[A-Za-z0-9]{14}\.[0-9a-f]{20}|duffel_(?:live|test)_|"
            r"fig[dou][a-z]?_[A-Za-z0-9_-]{16}|[ps]at\.[A-Za-z0-9_-]{16}|[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk|"
            r"access-(?:sandbox|development|production)-|re_[A-Za-z0-9]{8}_?[A-Za-z0-9]{12}|tk-us-|"
            r"live_[a-f0-9]{32}|olp_[A-Za-z0-9]{16}|dop?s?_[a-f0-9]{32})"),
    _secret("nocontent-token", r"\bnct_[0-9a-f]{12}_"),
    _secret("jwt", r"(?<![A-Za-z0-9_-])ey[A-Za-z0-9_-]{10,}\.ey[A-Za-z0-9_-]{5}"),
    _secret("authorization", r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/-]{8}"),
    _secret("url-credentials", r"[a-z]://[^/\s:@]{1,256}:[^/\s@]{1,256}@"),
)  # fmt: skip

NAMES = (
    _content("prompt", "prompt prompts systemprompt userprompt inputprompt promptkey promptcachekey prompttext "
             "preamble instructions instruction system query question userinput utterance template input inputs "
             "inputtext variables stopsequences stop"),
    _content("message", "message messages msg msgs chat conversation history transcript parts turn turns memo comment "
             "feedback memory"),
    _content("output", "output outputs outputtext completion completions response responses responsetext responsebody "
             "answer choices candidates generation generations generatedtext result results modeloutput content "
             "contents text delta refusal summary caption snippet quote rationale body payload requestbody raw words"),
    _content("reasoning", "reasoning reason thinking thought thoughts reasoningcontent scratchpad explanation"),
    _content("tool", "tool tools toolcalls toolcall toolinput tooloutput toolchoice functioncall functions function "
             "arguments args invocationparameters parameters jsonschema responseformat responseschema "
             "websearchqueries"),
    _content("document", "document documents doc docs chunk chunks passage passages context contexts citation "
             "citations code embedding embeddings vector file files url urls sample example examples"),
    _content("media", "image images imageurl audio video b64 b64json attachment attachments"),
    _content("tokens", "logprobs toplogprobs tokenids tokens prompttokenids"),
    _content("error", "error errormessage errors errorstr errordetail exception traceback stacktrace statusmessage "
             "debug log logs"),
    _content("free-form", "metadata properties attributes extra data object description note notes title custom user "
             "username userid email name ip requestheaders headers"),
    Rule("secret.field", "Remove the field: no credential may be sent.", names=frozenset(
         "apikey key keys accesstoken refreshtoken idtoken token auth authorization bearer awssecretaccesskey "
         "secretaccesskey accesskeyid certificate clientsecret connectionstring cookie cookies setcookie credential "
         "credentials csrf databaseurl dsn jwt otp passphrase passwd password pin privatekey secret secretkey session "
         "sessionid signingkey sshkey virtualkey xapikey".split())),
)  # fmt: skip

SHAPES = (
    Rule("content.diagnostics",
         "Send no text of an error; an operator can permit that it is dropped unread: `nocontent tenant diagnostics`."),
    Rule("content.unknown-key", "Remove the attribute: its value is text, and no mapping has its name."),
    Rule("shape.escape", "Send no backslash; no name or term needs one. In PHP, set JSON_UNESCAPED_SLASHES."),
    Rule("secret.high-entropy", "A term may not look like a random key: register a readable name."),
    Rule("vocabulary.bad-term", "A term may only have the policy's letters, digits, marks and length."),
    Rule("secret.password", "A term may not look like a password: register a readable name, and change the password."),
    Rule("vocabulary.name", "A term may not be a person's name: register the name of a team or a project."),
    Rule("vocabulary.address", "A term may not be an e-mail, postal or network address: register a readable name."),
    Rule("vocabulary.number", "A term may not contain a phone, card or other long number: register a readable name."),
    Rule("vocabulary.encoded", "A term may not be encoded text: register a readable name."),
    Rule("vocabulary.prose", "A term may not read as a sentence: register a short name."),
    Rule("vocabulary.budget", "The tenant's budget of learned terms is used up: have an operator register the term."),
    Rule("vocabulary.unknown-task-category",
         "Send a task category from GET /v1/policy, or have an operator register it."),
    Rule("vocabulary.unknown-provider", "Send a provider from GET /v1/policy, or have an operator register it."),
    Rule("vocabulary.unknown-model", "Send a model id from GET /v1/policy, or have an operator register it."),
    Rule("vocabulary.undeclared-tag-key", "Declare the tag key first: tags are opt-in."),
    Rule("vocabulary.unknown-tag-value", "Send a registered value of this tag key, or have an operator register it."),
    Rule("shape.unknown-field", "Remove the field: the contract has no such name."),
    Rule("shape.duplicate-key", "Send each name only once in an object."),
    Rule("shape.two-spellings", "Send either `events`, or `terms`, `tag_sets` and `columns`."),
    Rule("shape.unequal-columns", "Send columns of one length: each has one item for each event."),
    Rule("shape.no-such-place", "Send a place in the list, counted from 0."),
    Rule("shape.repeated-term", "List each term and each tag set only once."),
    Rule("shape.unused-term", "List only terms and tag sets that an event has."),
    Rule("shape.non-ascii", "Send ASCII only: every name and term of the contract is ASCII."),
    Rule("shape.control-character", "Send no control characters."),
    Rule("shape.dropped-without-stream",
         "Send `stream` with losses alone; without it, a retry would count them twice."),
    Rule("shape.missing-field", "Every field of the contract is required; send null if a nullable one is unknown."),
    Rule("shape.not-a-uuid", "Send an RFC 9562 UUID in its 36-character form."),
    Rule("shape.not-a-uuidv7", "Send a version 7 UUID (RFC 9562): its time is the event's time."),
    Rule("shape.unknown-value", "Send one of the values that the contract lists."),
    Rule("shape.out-of-range", "Send a number within the bounds that the contract states."),
    Rule("shape.inconsistent", "reasoning_tokens is part of output_tokens, and ttft_ms is at most latency_ms."),
    Rule("shape.wrong-type", "Send the JSON type that the contract states; integers have no fraction or exponent."),
    Rule("shape.too-deep", "Nest no deeper than the contract does: nothing is deeper than tags."),
    Rule("shape.malformed-otlp", "Send the message of the path in the encoding that Content-Type names (OTLP/HTTP)."),
    Rule("shape.malformed-json", "Send one JSON document (RFC 8259)."),
    Rule("time.too-old",
         "The event is older than the retention period: drop it. If the stream is too old, start a new one."),
    Rule("time.in-future", "The event's time is ahead of the server's: check the sender's clock."),
    Rule("size.too-many-events", "Send fewer events in a batch."),
    Rule("size.no-events", "Send at least one event, or `stream` and `dropped`."),
    Rule("size.too-many-tags", "Send fewer tags on an event."),
    Rule("size.too-many-spellings", "Send fewer unregistered spellings of terms in a batch."),
    Rule("size.too-many-attributes", "Send fewer attributes on a record, or fewer records in a request."),
    Rule("size.too-many-names", "The body has too many unknown names to explain one by one."),
    Rule("size.unexplained", "The body was not fully explained: run `nocontent check` on it."),
)  # fmt: skip

RULES = {rule.id: rule for rule in SECRETS + NAMES + SHAPES}
ORDER = {rule: place for place, rule in enumerate(RULES)}
_BY_NAME = {name: rule.id for rule in NAMES for name in rule.names}
assert len(_BY_NAME) == sum(len(rule.names) for rule in NAMES), "a name belongs to one rule"


def rule_of_name(name: str) -> str | None:
    """Return the id of the rule that a field name breaks because it names content or a credential, or None."""
    return _BY_NAME.get(normalised(name))


def rule_of_value(value: str) -> str | None:
    """Return the id of the rule that a credential-like value breaks, or None; the caller cuts it to VALUE_BYTES_MAX."""
    return next((rule.id for rule in SECRETS if rule.pattern and rule.pattern.search(value)), None)
