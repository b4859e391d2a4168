"""The NetworkPolicy of k8s/components/webhooks lets the jobs out to what the code connects to, and to nothing else."""

from ipaddress import ip_network

import msgspec
import pytest

from ingest.alerts.webhooks import addresses
from tests.support.service import ROOT

_FILE = ROOT / "k8s" / "components" / "webhooks" / "network.yaml"


class _Block(msgspec.Struct):
    cidr: str
    excluded: list[str] = msgspec.field(name="except")


class _Peer(msgspec.Struct):
    block: _Block = msgspec.field(name="ipBlock")


class _Port(msgspec.Struct):
    port: int
    protocol: str
    last: int = msgspec.field(name="endPort", default=0)


class _Rule(msgspec.Struct):
    to: list[_Peer]
    ports: list[_Port]


class _Spec(msgspec.Struct):
    egress: list[_Rule]


class _Policy(msgspec.Struct):
    spec: _Spec


@pytest.fixture(scope="module")
def rule() -> _Rule:
    (found,) = msgspec.yaml.decode(_FILE.read_bytes(), type=_Policy).spec.egress
    return found


def test_the_refused_networks_are_those_of_the_code(rule: _Rule) -> None:
    four, six = (peer.block for peer in rule.to)
    assert (four.cidr, six.cidr) == ("0.0.0.0/0", str(addresses.GLOBAL_6))
    assert tuple(map(ip_network, four.excluded)) == addresses.REFUSED_4
    assert tuple(map(ip_network, six.excluded)) == addresses.REFUSED_6


def test_the_ports_are_those_of_the_code(rule: _Rule) -> None:
    assert [(each.port, each.last) for each in rule.ports] == [
        (addresses.PORT_DEFAULT, 0), (addresses.PORT_FIRST, addresses.PORT_LAST),
    ]  # fmt: skip
