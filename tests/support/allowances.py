"""The exceptions to rules of `tests/test_tidy.py`, each with its reason."""

ATTRIBUTES_ALLOWED = {
    "ingest/gateway/reading/facts.py:Facts": "what routing must know of a request: a field for each fact",
    "ingest/gateway/telemetry/finished.py:Finished": "a record: what an event is made of",
    "ingest/knowledge/billing.py:Invoice": "an issued document; its fields are its columns",
    "ingest/rights/exporting/manifest.py:Manifest": "a document that tenants read",
    "ingest/intake/litellm/records.py:_Record": "a document of LiteLLM's: a field for each member that is read",
    "ingest/intake/projection.py:Projected": "the contract: a field for each column",
    "ingest/intake/policy.py:Policy": "a document that senders read: a field for each member",
    "ingest/logs/__init__.py:Fields": "the closed set of what a log line can say",
    "ingest/prove/summary.py:Summary": "a document that auditors read",
    "reporter/src/nocontent_reporter/event.py:Event": "the contract, as a proxy makes it",
    "schema/event.py:Event": "the contract: a field for each column",
}
BROAD_ALLOWED = {
    "ingest/serving/boundary.py": "the one place where whatever is left becomes a bare 500",
    "ingest/gateway/app.py": "likewise for the gateway, whose errors are the providers'",
    "tests/clients/strangers/anthropic_gateway.py": "a customer's program: which error there is, its SDK says",
    "tests/clients/strangers/litellm_gateway.py": "likewise",
    "reporter/src/nocontent_reporter/litellm.py": "nothing is raised into the proxy",
    "reporter/src/nocontent_reporter/pipeline.py": "a bug must not end the threads that report",
    "reporter/src/nocontent_reporter/reporter.py": "nothing is raised into the proxy; its callback may raise",
}
ENVIRONMENT_ALLOWED = {"ingest/config/__init__.py": "the one reader of settings"}
