"""docs/gateway-admission.md has every fault of admission with its status, and every setting with its default."""

import re

from ingest import config
from ingest.gateway.admission import errors
from ingest.gateway.admission.settings import AdmissionSettings
from ingest.gateway.companion.poll import Outcome
from ingest.gateway.faults import FACES
from tests.support.service import ROOT

PAGE = (ROOT / "docs/gateway-admission.md").read_text()


def test_the_page_has_every_fault_and_its_status() -> None:
    faces = {kind.fault: face for kind, face in FACES.items() if issubclass(kind, errors.NotAdmitted)}
    assert all(face.fault == fault for fault, face in faces.items())
    listed = dict(re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", PAGE, re.MULTILINE))
    assert listed == {fault: str(int(face.status)) for fault, face in faces.items()}


def test_the_page_has_every_setting_and_its_default() -> None:
    listed = dict(re.findall(r"^\| `(NOCONTENT_[A-Z_]+)` \| (?:`([^`]*)`|\(none\)) \|", PAGE, re.MULTILINE))
    assert listed == {name: str(default) for name, _, default in config.describe(AdmissionSettings)}


def test_the_page_has_every_way_in_which_the_service_does_not_confirm() -> None:
    confirmed = {Outcome.CHANGED, Outcome.UNCHANGED}
    assert all(f"`{outcome}`" in PAGE for outcome in set(Outcome) - confirmed)
