"""Without the extra `billing` a PDF is not implemented, and everything else works."""

from pathlib import Path

from tests.support import customers, documents, service
from tests.support.customers import CustomerSpec
from tests.support.service import ROOT

# As if reportlab were not installed.
_HIDDEN = "import sys\nsys.modules['reportlab'] = None\n"


def test_without_reportlab_invoices_are_json_and_pages(database: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(_HIDDEN)
    customer = customers.prepare(database, {"main": CustomerSpec(scopes=("invoices:read",))})["main"]
    name = documents.issue(database, {customer.tenant_id: documents.LINES})[customer.tenant_id]
    variables = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with service.serving(database, tmp_path / "serve.log", workers=1, variables=variables) as server:
        sender = server.sender(customer.token)
        service.wait_until(lambda: sender.get("/readyz").status == 200)
        for accept in ("application/json", "text/html"):
            assert sender.get(f"/v1/invoices/{name}", {"Accept": accept}).status == 200
        answer = sender.get(f"/v1/invoices/{name}", {"Accept": "application/pdf"})
        assert (answer.status, answer.problem) == (501, "renderer-missing")
        sender.close()
