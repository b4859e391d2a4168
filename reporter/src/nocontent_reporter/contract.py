"""The contract's bounds, words and rules, copied from the server's by reporter/vendor.py: do not edit."""

# fmt: off

WIRE_BYTES_MAX = 4194304
BODY_BYTES_MAX = 4194304
EVENTS_MAX = 5000
VIOLATIONS_MAX = 100
SEQUENCE_MAX = 9007199254740991
DROPPED_MAX = 2147483647
TAGS_MAX = 4
MODEL_CHARS_MAX = 192
TERM_CHARS_MAX = 96
STREAM_MS_MAX = 34560000000
AHEAD_MS_MAX = 300000

# Integers: lowest, highest, and whether null stands for unknown.
INTEGERS = {
    'input_tokens': (0, 10000000, False),
    'output_tokens': (0, 2000000, False),
    'cache_read_tokens': (0, 10000000, False),
    'cache_write_5m_tokens': (0, 10000000, False),
    'cache_write_1h_tokens': (0, 10000000, False),
    'reasoning_tokens': (0, 2000000, False),
    'cost_nanousd': (0, 1000000000000, True),
    'baseline_cost_nanousd': (0, 1000000000000, True),
    'latency_ms': (0, 864000000, False),
    'ttft_ms': (0, 864000000, True),
    'http_status': (100, 599, True),
}
BOOLEANS = ('streamed', 'cached', 'fallback', 'retried', 'escalated')
STATUSES = ('ok', 'error', 'timeout', 'rate_limited', 'cancelled', 'refused')
STOP_REASONS = ('end_turn', 'max_tokens', 'stop_sequence', 'tool_use', 'content_filter', 'pause_turn', 'context_window', 'other')
DROP_REASONS = ('queue_full', 'retries_exhausted', 'refused', 'shutdown')

# Patterns of terms, by kind, and of what looks like a credential, by rule.
GRAMMAR = {
    'task_category': '[a-z0-9][a-z0-9._-]{0,63}\\Z',
    'provider': '[a-z0-9][a-z0-9._-]{0,63}\\Z',
    'model': '[A-Za-z0-9@~][A-Za-z0-9._:/@+-]{0,95}\\Z',
    'tag_key': '[a-z0-9][a-z0-9._-]{0,63}\\Z',
    'tag_value': '[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}\\Z',
}
SECRETS = {
    'secret.private-key': '-----BEGIN|AGE-SECRET-KEY-1|\\bssh-(?:rsa|ed25519)[ :/]AAAA|\\bAAAAB3NzaC1|\\bAAAAC3NzaC1',
    'secret.anthropic-key': '\\bsk-ant-[a-z0-9]+-',
    'secret.openrouter-key': '\\bsk-or-v1-',
    'secret.langfuse-key': '\\b[sp]k-lf-',
    'secret.openai-key': '\\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20}',
    'secret.stripe-key': '\\b(?:[spr]k_(?:live|test)_[A-Za-z0-9]{8})',
    'secret.google-key': '\\b(?:AIza[A-Za-z0-9_-]{20}|ya29\\.|GOCSPX-)',
    'secret.aws-key': '\\b(?:(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12}|ABSK[A-Za-z0-9+/]{20})',
    'secret.model-host-key': '\\b(?:(?:gsk_|xai-|pplx-|hf_|r8_|nvapi-|jina_|tvly-|pa-|fw_|esecret_|api_org_|rpa_|csk-|fc-|co_|tgp_v1_|nk-|sk_|ls__|BSA|e2b_|apify_api_|bb_(?:live|test)_|rdme_|sess-|sk-helicone-)[A-Za-z0-9_]{20}|A[ks]-[A-Za-z0-9]{20}|a[ks]-[A-Za-z0-9]{20})',
    'secret.vector-store-key': '\\b(?:pcsk_[A-Za-z0-9]{8}|ckey_[A-Za-z0-9]{16}|sb_(?:secret|publishable)_[A-Za-z0-9_-]{16}|napi_[a-z0-9]{16})',
    'secret.observability-key': '\\b(?:(?:lsv2_|phx_|phc_|glsa_|glc_|NRAK-|NRII-|NRJS-|NRRA-|dd_api_|ddapi_|sntrys_|sntryu_)[A-Za-z0-9_]{8}|dt0[a-z][0-9]{2}\\.[A-Z0-9]{16}|hcaik_|wandb_v1_|(?:sdk|mob|api)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-|secret-[A-Za-z0-9]{32}|[ps]k_(?:live|test|prod|dev)_[A-Za-z0-9]{16})',
    'secret.github-token': '\\b(?:gh[pousr]_[A-Za-z0-9]{16}|github_pat_|gl(?:pat|dt|rt|rtr|ptt|ft|imt|agent|oas|soat|cbt|wt)-[A-Za-z0-9_-]{16}|GR1348941[A-Za-z0-9_-]{16}|ATBB[A-Za-z0-9]{20}|sgp_[A-Za-z0-9_]{20})',
    'secret.slack-token': '\\b(?:xox[abceoprs]-|xoxe\\.|xapp-[0-9]|hooks\\.slack\\.com/services/|[0-9]{8,10}:AA[A-Za-z0-9_-]{30}|[MNO][A-Za-z0-9_-]{23,25}\\.[A-Za-z0-9_-]{6}\\.[A-Za-z0-9_-]{27})',
    'secret.package-registry-token': '\\b(?:npm_[A-Za-z0-9]{16}|pypi-AgEI|dckr_[op]at_|rubygems_[a-f0-9]{16}|oy2[a-z0-9]{40}|AKCp[A-Za-z0-9]{20}|cmVmd[A-Za-z0-9]{20}|CLOJARS_[a-z0-9]{20}|cio[A-Za-z0-9]{32})',
    'secret.cloud-token': '\\b(?:dapi[a-f0-9]{16}|do[opr]_v1_|hv[bsr]\\.|dp\\.(?:pt|st|ct|sa|scim|audit)\\.|tskey-|pscale_|sbp_|LTAI[A-Za-z0-9]{12}|atlasv1\\.|HRKU-|fo1_[A-Za-z0-9_-]{16}|FlyV1|sha256~|pul-[a-f0-9]{20}|pnu_[A-Za-z0-9]{16}|bk(?:ua|ct|aj)_[a-z0-9]{16}|CCIPAT_|nfp_[A-Za-z0-9]{16}|rnd_[A-Za-z0-9]{16}|CFPAT-|dnkey-|t1\\.[A-Z0-9a-z_-]{30}|AQVN[A-Za-z0-9_-]{20}|y[0-3]_[A-Za-z0-9_-]{30}|API-[A-Z0-9]{25}|co\\.[a-z0-9]{20}|[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{20}|4b1d[A-Za-z0-9]{38}|signkey-|tr_(?:dev|prod|stg)_[A-Za-z0-9]{16}|cloudinary:)',
    'secret.saas-token': '\\b(?:SG\\.[\\w-]{16}|lin_(?:api|oauth)_|ntn_[A-Za-z0-9]{16}|secret_[A-Za-z0-9]{20}|PMAK-|shp(?:at|ca|pa|ss)_|sq0[a-z]{3}-|EAAA[A-Za-z0-9_-]{20}|EAA[CM][A-Za-z0-9]{20}|key-[0-9a-f]{32}|ops_ey|A3-[A-Z0-9]{6}-|p8e-|ATATT3|ATCTT3|rzp_(?:live|test)_|(?:pub|sub|sec)-c-|(?:SK|AC)[0-9a-f]{32}|xkeysib-|xsmtpsib-|[0-9a-f]{32}-us[0-9]{1,2}|[ps]k\\.ey|EZ[AT]K[A-Za-z0-9]{20}|FLW(?:PUB|SEC)K|fio-u-|pat-(?:na|eu)[0-9]-|ico-[A-Za-z0-9]{20}|sm_(?:aat|pat|sat)_|shippo_(?:live|test)_|whsec_|tfp_[A-Za-z0-9]{20}|zpka_|pat[A-Za-z0-9]{14}\\.[0-9a-f]{20}|duffel_(?:live|test)_|fig[dou][a-z]?_[A-Za-z0-9_-]{16}|[ps]at\\.[A-Za-z0-9_-]{16}|[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk|access-(?:sandbox|development|production)-|re_[A-Za-z0-9]{8}_?[A-Za-z0-9]{12}|tk-us-|live_[a-f0-9]{32}|olp_[A-Za-z0-9]{16}|dop?s?_[a-f0-9]{32})',
    'secret.nocontent-token': '\\bnct_[0-9a-f]{12}_',
    'secret.jwt': '(?<![A-Za-z0-9_-])ey[A-Za-z0-9_-]{10,}\\.ey[A-Za-z0-9_-]{5}',
    'secret.authorization': '(?i)\\b(?:bearer|basic)\\s+[A-Za-z0-9._~+/-]{8}',
    'secret.url-credentials': '[a-z]://[^/\\s:@]{1,256}:[^/\\s@]{1,256}@',
}
# Rules of names of content and credentials, as `normalised` writes them.
NAMES = {
    'content.prompt': 'input inputprompt inputs inputtext instruction instructions preamble prompt promptcachekey promptkey prompts prompttext query question stop stopsequences system systemprompt template userinput userprompt utterance variables',
    'content.message': 'chat comment conversation feedback history memo memory message messages msg msgs parts transcript turn turns',
    'content.output': 'answer body candidates caption choices completion completions content contents delta generatedtext generation generations modeloutput output outputs outputtext payload quote rationale raw refusal requestbody response responsebody responses responsetext result results snippet summary text words',
    'content.reasoning': 'explanation reason reasoning reasoningcontent scratchpad thinking thought thoughts',
    'content.tool': 'args arguments function functioncall functions invocationparameters jsonschema parameters responseformat responseschema tool toolcall toolcalls toolchoice toolinput tooloutput tools websearchqueries',
    'content.document': 'chunk chunks citation citations code context contexts doc docs document documents embedding embeddings example examples file files passage passages sample url urls vector',
    'content.media': 'attachment attachments audio b64 b64json image images imageurl video',
    'content.tokens': 'logprobs prompttokenids tokenids tokens toplogprobs',
    'content.error': 'debug error errordetail errormessage errors errorstr exception log logs stacktrace statusmessage traceback',
    'content.free-form': 'attributes custom data description email extra headers ip metadata name note notes object properties requestheaders title user userid username',
    'secret.field': 'accesskeyid accesstoken apikey auth authorization awssecretaccesskey bearer certificate clientsecret connectionstring cookie cookies credential credentials csrf databaseurl dsn idtoken jwt key keys otp passphrase passwd password pin privatekey refreshtoken secret secretaccesskey secretkey session sessionid setcookie signingkey sshkey token virtualkey xapikey',
}
