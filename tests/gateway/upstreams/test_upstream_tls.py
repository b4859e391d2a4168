"""TLS towards an upstream."""

import asyncio
import ssl
from pathlib import Path

import pytest

from ingest.gateway.upstream import tls
from ingest.gateway.upstream.connection import Times
from ingest.gateway.upstream.errors import CertificateRefused, CutShort, Unreachable
from ingest.gateway.upstream.origin import Origin
from ingest.gateway.upstream.pool import Pool
from tests.support.certificates import Authority
from tests.support.pooled import OK, REQUEST, TIMES, asked
from tests.support.raw_upstream import Answerer, answering, sending, sending_last, silent, whole


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def serving(authority: Authority, name: str) -> ssl.SSLContext:
    pair = authority.issue(name, name)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair.files)
    return context


async def over_tls(server: ssl.SSLContext | None, root: Path, answer: Answerer, times: Times = TIMES) -> bytes:
    async with answering(answer, server) as upstream:
        origin = Origin.of(upstream.url.replace("http://", "https://"))
        pool = Pool(origin, times, tls.context(str(root)))
        try:
            return await asked(pool)
        finally:
            pool.close()
            await upstream.none_is_open()


async def test_tls_is_spoken(authority: Authority) -> None:
    server = serving(authority, "127.0.0.1")
    assert await over_tls(server, authority.root, sending(whole(200, b"abc"))) == b"abc"


@pytest.mark.parametrize("case", ["another name", "another authority"])
async def test_a_certificate_that_does_not_match_is_refused(case: str, authority: Authority, tmp_path: Path) -> None:
    own = serving(authority, "127.0.0.1" if case == "another authority" else "example.com")
    root = Authority(tmp_path).root if case == "another authority" else authority.root
    with pytest.raises(CertificateRefused):
        await over_tls(own, root, silent)


async def test_an_upstream_without_tls_is_unreachable(authority: Authority) -> None:
    with pytest.raises(Unreachable):
        await over_tls(None, authority.root, sending(whole(200, b"")), TIMES._replace(connect_s=0.5))


async def test_a_body_may_end_with_the_close_of_tls(authority: Authority) -> None:
    server = serving(authority, "127.0.0.1")
    assert await over_tls(server, authority.root, sending_last(OK + b"\r\nabc")) == b"abc"


async def test_the_close_of_tcp_does_not_end_a_body_in_tls(authority: Authority) -> None:
    """Anybody on the way can close TCP."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"\r\nabc")
        await was_read.wait()
        writer.transport.abort()

    was_read = asyncio.Event()
    async with answering(answer, serving(authority, "127.0.0.1")) as upstream:
        origin = Origin.of(upstream.url.replace("http://", "https://"))
        begun = await Pool(origin, TIMES, tls.context(str(authority.root))).ask((REQUEST,))
        assert await begun.read() == b"abc"
        was_read.set()
        with pytest.raises(CutShort):
            await begun.read()
