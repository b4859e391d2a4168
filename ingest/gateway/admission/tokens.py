"""Admits requests by their gateway token, and finds the provider's key that goes upstream with each."""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Literal, NamedTuple

from ingest.gateway.admission import errors
from ingest.gateway.admission.board import Board, Grants
from ingest.gateway.admission.provider_keys import ProviderKeys
from ingest.knowledge.gateway import GatewayTenant, GatewayToken
from ingest.knowledge.tokens import Credential

Field = tuple[bytes, bytes]
Provider = Literal["anthropic", "openai"]
TOKEN_FIELD = b"x-nocontent-token"
KEY_FIELDS = (b"x-api-key", b"authorization")
_CREDENTIALS = frozenset((TOKEN_FIELD, *KEY_FIELDS))
_SCHEME = b"bearer "
_OWN = (b"nct_", b"ncg_")  # What never goes upstream.
_PROVIDERS = (b"sk-", b"sk_", b"key-", b"Bearer ")  # How keys of providers begin; used to explain a refusal only.
_KEY_BYTES_MAX = 4_096
_VISIBLE = bytes(range(0x21, 0x7F))
_NOBODY = bytes(32)


class Admitted(NamedTuple):
    """A request of a tenant, and the fields of its head that go upstream as credentials."""

    tenant: GatewayTenant
    token_id: str
    provider_fields: list[Field]

    def __repr__(self) -> str:
        return f"Admitted({self.tenant.tenant_id})"


class Admission:
    """Decides by the board alone: no file but that of a provider's key, no connection."""

    def __init__(self, board: Board, provider_keys: ProviderKeys, grace_s: int) -> None:
        self._board = board
        self._provider_keys = provider_keys
        self._grace_ms = grace_s * 1_000

    def admit(self, fields: Iterable[Field], provider: Provider) -> Admitted:
        """Return whose request it is, by the fields of its head, with names in lower case; raises NotAdmitted."""
        given = _credentials(fields)
        grants = self.require_grants()
        token = self._token(grants, given.token)
        tenant = grants.tenants.get(token.tenant_id)
        if tenant is None:
            raise errors.TokenUnknown
        if given.key is not None:
            return Admitted(tenant, token.token_id, [given.key])
        return Admitted(tenant, token.token_id, [self._kept_key(tenant.tenant_id, provider, given)])

    @property
    def age_s(self) -> float:
        """Seconds since the service was asked for the last answer that counted."""
        return self._board.age_ms() / 1_000

    def require_grants(self) -> Grants:
        """Return what is on the board; raises BoardStale if the service confirmed it longer ago than the grace."""
        grants = self._board.grants()
        if grants is None or self._board.age_ms() > self._grace_ms:
            raise errors.BoardStale
        return grants

    def _token(self, grants: Grants, given: bytes) -> GatewayToken:
        credential = Credential.parse(given.decode("latin-1"))
        if credential is None:
            raise errors.TokenMalformed
        token = grants.tokens.get(credential.token_id)
        # An unknown id is compared with zeros, so that it takes as long as a known one.
        expected = token.secret_sha256 if token else _NOBODY
        digest = sha256(credential.secret.encode()).digest()
        if not hmac.compare_digest(digest, expected) or token is None:
            raise errors.TokenUnknown
        if token.expires_at_ms is not None and token.expires_at_ms <= self._board.service_now_ms():
            raise errors.TokenExpired
        return token

    def _kept_key(self, tenant_id: int, provider: Provider, given: "_Credentials") -> Field:
        key = self._provider_keys.find(tenant_id, provider)
        if key is None:
            raise errors.TokenAsProviderKey if given.is_in_place_of_key else errors.ProviderKeyMissing
        if provider == "anthropic":
            return KEY_FIELDS[0], key.expose()
        return KEY_FIELDS[1], b"Bearer " + key.expose()


class _Credentials(NamedTuple):
    """What a head has: the token, and the field with the provider's key unless the token is in its place."""

    token: bytes
    key: Field | None
    is_in_place_of_key: bool = False


def _credentials(fields: Iterable[Field]) -> _Credentials:
    """Find the token and the provider's key, or raise Misplaced."""
    own = [field for field in fields if field[0] in _CREDENTIALS]
    tokens = [value for name, value in own if name == TOKEN_FIELD]
    keys = [field for field in own if field[0] != TOKEN_FIELD]
    if len(tokens) > 1:
        raise errors.TokensRepeated
    if len(keys) > 1:
        raise errors.ProviderKeysRepeated
    key = _key(keys[0]) if keys else None
    is_own = key is not None and key.startswith(_OWN)
    if not tokens:
        if key is None or not is_own:
            raise errors.TokenMissing
        return _Credentials(key, None, is_in_place_of_key=True)
    if tokens[0].startswith(_PROVIDERS):
        raise errors.ProviderKeyAsToken
    if is_own:
        raise errors.TokenAsProviderKey
    return _Credentials(tokens[0], keys[0] if keys else None)


def _key(field: Field) -> bytes:
    """Return the key in a field; raises ProviderKeyMalformed."""
    name, value = field
    if name == KEY_FIELDS[1]:
        if value[: len(_SCHEME)].lower() != _SCHEME:
            raise errors.ProviderKeyMalformed
        value = value[len(_SCHEME) :].strip(b" ")
    if not 0 < len(value) <= _KEY_BYTES_MAX or value.translate(None, _VISIBLE):
        raise errors.ProviderKeyMalformed
    return value
