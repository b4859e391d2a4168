"""The fields of other formats that may hold free text about a request, and those that describe whoever made it.

The service stores neither. docs/policy.md has both lists word for word; a test compares them.
"""

# Free text, mostly of errors, and providers' errors quote prompts: `Diagnostics` decides about a record that has some.
FREE_TEXT = (
    "error.message",
    "error.stack_trace",
    "error_information.error_message",
    "error_information.traceback",
    "error_str",
    "exception",
    "exception.message",
    "exception.stacktrace",
    "gen_ai.request.stop_sequences",
    "log.body",
    "response_cost_failure_debug_info",
    "status.message",
)
# People, machines and addresses: dropped, whatever the tenant chose.
CONTEXT = (
    "end_user",
    "enduser",
    "gen_ai.user",
    "hidden_params",
    "host",
    "http.target",
    "http.url",
    "llm.user",
    "metadata",
    "process",
    "request_tags",
    "requester_ip_address",
    "span.name",
    "subject",
    "url.full",
    "url.query",
    "user",
    "user_agent",
)
FIELDS = (*FREE_TEXT, *CONTEXT)
