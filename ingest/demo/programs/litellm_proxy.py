"""Send what a LiteLLM proxy with the configuration of docs/litellm.md sends: `litellm_proxy.py URL TOKEN_FILE`.

The records are copies of one as LiteLLM 1.106 makes it, with ids and times of their own; the last one has a prompt.
"""

import json
import secrets
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CALLS = 100
url, token_file = sys.argv[1:]
headers = {"Authorization": f"Bearer {Path(token_file).read_text('ascii').strip()}", "Content-Type": "application/json"}
pattern = json.loads((Path(__file__).parent / "litellm_record.json").read_text("ascii"))


def record() -> dict[str, object]:
    """Return the record of a call that ends now."""
    ended_s = time.time()
    times = {"startTime": ended_s - 1.4, "completionStartTime": ended_s - 1.4, "endTime": ended_s}
    ids = {"id": f"chatcmpl-{secrets.token_hex(12)}", "litellm_call_id": secrets.token_hex(16)}
    return {**pattern, **times, **ids, "trace_id": secrets.token_hex(16)}


def post(body: bytes) -> tuple[int, list[str]]:
    """Send records; return how many were stored, and the rules by which they were refused."""
    request = urllib.request.Request(f"{url}/v1/integrations/litellm", body, headers)  # noqa: S310 - http, as given.
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - likewise.
            return json.load(answer)["accepted"], []
    except urllib.error.HTTPError as problem:
        return 0, [violation["rule"] for violation in json.load(problem)["violations"]]


good = "\n".join(json.dumps(record()) for _ in range(CALLS)).encode("ascii")
stored = post(good)[0]
chat = [{"role": "user", "content": "Our Q3 layoffs list is in the attached file; summarize it."}]
rules = post(json.dumps([record() | {"messages": chat}]).encode("ascii"))[1]
done = {"sent": CALLS + 1, "stored": stored, "refused": int(bool(rules)), "rules": rules, "bytes": len(good) / CALLS}
sys.stdout.write(json.dumps(done))
