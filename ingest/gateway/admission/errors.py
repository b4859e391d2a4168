"""Why a request is not admitted. Each has an id for ever, in `fault`, and never a value of the request."""


class NotAdmitted(Exception):
    """Carries no message, which could quote a header."""

    fault = ""

    def __init__(self) -> None:
        super().__init__()


class Misplaced(NotAdmitted):
    """A credential is missing, repeated, or where another belongs: the client's configuration is wrong."""


class TokenMissing(Misplaced):
    """The request has a provider's key, or nothing, and no gateway token."""

    fault = "token-missing"


class TokensRepeated(Misplaced):
    """The request has more than one X-Nocontent-Token."""

    fault = "tokens-repeated"


class TokenMalformed(Misplaced):
    """X-Nocontent-Token does not have the form of a token."""

    fault = "token-malformed"


class ProviderKeyAsToken(Misplaced):
    """A provider's key is where the gateway token belongs."""

    fault = "provider-key-as-token"


class TokenAsProviderKey(Misplaced):
    """A gateway token is where the provider's key belongs, beside another or without a key kept for the tenant."""

    fault = "token-as-provider-key"


class ProviderKeyMissing(Misplaced):
    """The request has no provider's key, and none is kept for the tenant."""

    fault = "provider-key-missing"


class ProviderKeysRepeated(Misplaced):
    """The request has more than one provider's key."""

    fault = "provider-keys-repeated"


class ProviderKeyMalformed(Misplaced):
    """Authorization is not `Bearer` and a key, or x-api-key is not a key."""

    fault = "provider-key-malformed"


class TokenRefused(NotAdmitted):
    """The token has the form of one, and does not admit."""


class TokenUnknown(TokenRefused):
    """No token that the service knows of: never issued, revoked, without the scope, or of a disabled tenant."""

    fault = "token-unknown"


class TokenExpired(TokenRefused):
    """The token has expired, by the service's clock."""

    fault = "token-expired"


class BoardStale(NotAdmitted):
    """The service has not said for too long, or not at all yet, who may."""

    fault = "grants-stale"
