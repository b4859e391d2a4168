"""A connection to the server that takes our mail: TLS verified, bounded in bytes and time, kept for many letters.

The server's text is never kept: it may quote the recipient. Of each reply there is its first digit alone.
"""

import asyncio
import ssl

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from ingest.alerts.mail.settings import Relay

CONNECT_S = 15.0  # Greeting, TLS and credentials included.
REPLY_S = 30.0
LETTER_S = 120.0  # Less than `sending.ABANDONED`.
TRANSIENT, PERMANENT, _SHUTTING_DOWN = 4, 5, 421
_LOST = (SMTPException, OSError, TimeoutError, ssl.SSLError, ValueError)


class ServerError(Exception):
    """The server cannot be used now; no letter was sent."""


class NoTls(ServerError):
    """The server offers no TLS, or a certificate that is not its own: nothing is sent in the clear."""


class Refused(Exception):
    """The server refused one letter."""

    def __init__(self, reply_class: int) -> None:
        super().__init__()
        self.reply_class = reply_class


class Ambiguous(Exception):
    """The connection was lost after the letter was handed over and before a reply: it may have been taken."""


class Server:
    """An open connection, on which a transaction is begun."""

    def __init__(self, client: SMTP, sender: str) -> None:
        self._client = client
        self._sender = sender
        self._is_begun = True

    async def send(self, recipient: str, message: bytes) -> int:
        """Send a letter and return the class of the reply; raises Refused, Ambiguous and ServerError."""
        try:
            async with asyncio.timeout(LETTER_S):
                await self._offer(recipient)
                return await self._hand_over(message)
        except TimeoutError:  # Both steps have their own time-outs, so together they took too long.
            self.close()
            raise Ambiguous from None

    async def _offer(self, recipient: str) -> None:
        try:
            await self._begin()
            await self._client.rcpt(recipient)
        except SMTPResponseException as refused:
            raise self._refusal(refused) from None
        except _LOST:
            self.close()
            raise ServerError from None

    async def _begin(self) -> None:
        """Say from whom a letter is; whatever is refused before the recipient is refused to us, not to the letter."""
        try:
            if self._is_begun:  # By `connect`, or by a letter that was refused half-way.
                await self._client.rset()
            self._is_begun = True
            await self._client.mail(self._sender)
        except SMTPResponseException:
            self.close()
            raise ServerError from None

    async def _hand_over(self, message: bytes) -> int:
        try:
            reply = await self._client.data(message)
        except SMTPResponseException as refused:
            if refused.code // 100 not in {TRANSIENT, PERMANENT}:
                self.close()
                raise Ambiguous from None
            raise self._refusal(refused) from None
        except _LOST:
            self.close()
            raise Ambiguous from None
        self._is_begun = False
        return reply.code // 100

    def _refusal(self, refused: SMTPResponseException) -> Exception:
        if refused.code == _SHUTTING_DOWN or refused.code < 0 or not self._client.is_connected:
            self.close()
            return ServerError()
        return Refused(PERMANENT if refused.code // 100 == PERMANENT else TRANSIENT)

    def close(self) -> None:
        """Close at once, without a word."""
        self._client.close()

    async def quit(self) -> None:
        """Take leave, if the server is still there."""
        try:
            await self._client.quit(timeout=1.0)
        except _LOST:
            self.close()


async def connect(relay: Relay, tls: ssl.SSLContext) -> Server:
    """Open a connection; raises ServerError, of which NoTls is one."""
    client = SMTP(
        hostname=relay.host,
        port=relay.port,
        local_hostname=relay.domain,  # Not this machine's name.
        timeout=REPLY_S,
        use_tls=relay.security == "tls",
        start_tls=False,
        tls_context=tls if relay.security == "tls" else None,
    )
    try:
        async with asyncio.timeout(CONNECT_S):
            await client.connect()
            if relay.security == "starttls":
                await _start_tls(client, tls)
            if relay.user is not None and relay.password is not None:
                await client.login(relay.user.reveal(), relay.password.reveal())
            await client.mail(relay.sender)  # Before any letter is claimed: whoever refuses this takes none from us.
            return Server(client, relay.sender)
    except NoTls:
        raise
    except _LOST as lost:
        raise _why(lost) from None
    finally:
        if not client.is_connected:
            client.close()


async def _start_tls(client: SMTP, tls: ssl.SSLContext) -> None:
    await client.ehlo()
    if not client.supports_extension("starttls"):
        client.close()
        raise NoTls
    await client.starttls(tls_context=tls)


def _why(lost: BaseException) -> ServerError:
    """Return NoTls if TLS failed, as aiosmtplib wraps it, and ServerError otherwise."""
    causes: list[BaseException] = [lost]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    return NoTls() if any(isinstance(each, ssl.SSLError) for each in causes) else ServerError()
