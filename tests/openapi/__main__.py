"""`python -m tests.openapi`: have schemathesis generate requests from /openapi.json, and check each response by it."""

import argparse
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.store import tokens
from tests.support import cluster, customers, documents, service, usage
from tests.support.customers import CustomerSpec

CONFIG = Path(__file__).with_name("schemathesis.toml")


def main() -> int:
    """Run schemathesis against a service of its own, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.openapi", description=__doc__)
    parser.add_argument("--program", type=Path, default=Path(".venv-api/bin/schemathesis"), help="of schemathesis")
    parser.add_argument("--examples", type=int, default=200, help="for each operation (default: 200)")
    parser.add_argument("--seed", type=int, default=None, help="of a run to repeat (default: a new one)")
    args = parser.parse_args()
    with cluster.started() as postgres, cluster.open_folder() as folder:
        dsn = postgres.migrated()
        token = _prepare(dsn)
        with service.serving(dsn, folder / "serve.log") as server:
            seed = [] if args.seed is None else ["--seed", str(args.seed)]
            url = f"http://{server.bind}"
            command = [
                str(args.program.absolute()),
                "--config-file",
                str(CONFIG),
                "run",
                f"{url}/openapi.json",
                "--url",
                url,
            ]
            command += ["--header", f"Authorization: Bearer {token}", "--max-examples", str(args.examples), *seed]
            return subprocess.run(command, cwd=folder, check=False).returncode  # Its cache is left there.


def _prepare(dsn: str) -> str:
    """Return a token with every scope, of a tenant with usage and an invoice."""
    customer = customers.prepare(dsn, {"main": CustomerSpec(scopes=tokens.SCOPES)})["main"]
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    usage.store(dsn, customer.tenant_id, usage.facts(1, today - timedelta(days=2), 48, []))
    documents.issue(dsn, {customer.tenant_id: documents.LINES})
    return customer.token


if __name__ == "__main__":
    sys.exit(main())
