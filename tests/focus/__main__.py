"""`python -m tests.focus`: have the FinOps Foundation's validator check a file of ours against FOCUS 1.2, offline."""

import argparse
import asyncio
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from ingest.rights.exporting import focus
from ingest.rights.exporting.focus import Account
from ingest.store import connections
from ingest.store.rights import focus as stored_focus
from tests.support import cluster, customers, usage

SINCE, BEFORE = datetime(2026, 3, 30, tzinfo=UTC), datetime(2026, 4, 3, tzinfo=UTC)
MODEL = "1.2.0.1"  # Of the rules that the validator's wheel has; others it would download.
# What our data has; the rest (regions, commitments, unit prices, ...) does not exist for it.
CRITERIA = "ACCOUNT_NAMING_SUPPORTED,TAGGING_SUPPORTED,USAGE_MEASUREMENT_SUPPORTED"
KNOWN_WRONG = {
    # Contradicts InvoiceId-C-004: one asks for null, the other for a value, and in this model neither has a condition.
    "InvoiceId-C-005-C",
    # Their query reads CommitmentDiscountStatus, a column that a file without commitments need not have.
    *(f"ConsumedQuantity-C-{number:03}-C" for number in (0, 3, 4, 5, 6)),
}
_FAILED = re.compile(r"^\N{CROSS MARK} (\S+): FAIL", re.MULTILINE)
_TOTAL = re.compile(r"^Total: [0-9]+ \| Pass: ([0-9]+) .*$", re.MULTILINE)
PASSED_MIN = 100  # Fewer: the validator did not look.


def main() -> int:
    """Write a file, validate it, and return 1 if it breaks a rule that is not known to be wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.focus", description=__doc__)
    parser.add_argument("--program", type=Path, default=Path(".venv-focus/bin/focus-validator"), help="the validator")
    args = parser.parse_args()
    program = args.program.absolute()
    with cluster.started() as postgres, cluster.open_folder() as folder:
        file = folder / "focus.csv"
        file.write_bytes(asyncio.run(_written(postgres.migrated())))
        (packages,) = program.parents[1].glob("lib/python3*/site-packages")
        command = [str(program), "--data-file", str(file), "--validate-version", MODEL, "--block-download"]
        command += ["--focus-dataset", "CostAndUsage", "--applicability-criteria", CRITERIA]
        # It opens a list of currencies by a path relative to its packages.
        ran = subprocess.run(command, cwd=packages, check=False, capture_output=True, text=True)
    failed, total = set(_FAILED.findall(ran.stdout)), _TOTAL.search(ran.stdout)
    if ran.returncode or total is None or int(total[1]) < PASSED_MIN:
        sys.stderr.write(ran.stdout + ran.stderr)
        return 2
    sys.stdout.write(f"{total[0]}\nKnown to be wrong: {', '.join(sorted(KNOWN_WRONG & failed)) or 'none'}\n")
    sys.stdout.writelines(f"Broken: {rule}\n" for rule in sorted(failed - KNOWN_WRONG))
    return int(bool(failed - KNOWN_WRONG))


async def _written(dsn: str) -> bytes:
    customer = await asyncio.to_thread(customers.one, dsn)
    await asyncio.to_thread(usage.store, dsn, customer.tenant_id, usage.facts(1, SINCE, 96, []))
    data = focus.header()
    async with connections.connected(dsn, "nocontent_usage_reader") as connection:
        async for block in stored_focus.days(connection, customer.tenant_id, SINCE, BEFORE):
            data += focus.lines(block, Account(customer.tenant_id, "acme"))
    return data


if __name__ == "__main__":
    sys.exit(main())
