"""The alerting rules of k8s/alerts.yml as data, and the manifest that carries them to the Prometheus operator."""

import msgspec

from k8s.generate.metrics import ROOT

FILE = ROOT / "k8s/alerts.yml"
_HEAD = """\
# Generated from k8s/alerts.yml, which is the one that is tested: make generate
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: nocontent
spec:
"""


class Rule(msgspec.Struct, forbid_unknown_fields=True, rename={"lasts": "for"}):
    """An alerting rule as Prometheus reads it."""

    alert: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]
    lasts: str = "0m"


class Group(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    rules: list[Rule]


class RuleFile(msgspec.Struct, forbid_unknown_fields=True):
    groups: list[Group]


GROUPS = msgspec.yaml.decode(FILE.read_bytes(), type=RuleFile).groups
RULES = {rule.alert: rule for group in GROUPS for rule in group.rules}


def prometheus_rule() -> str:
    """Return the manifest: the same lines, indented."""
    lines = [line for line in FILE.read_text("utf-8").splitlines() if not line.startswith("#")]
    return _HEAD + "".join(f"  {line}\n" if line else "\n" for line in lines)
