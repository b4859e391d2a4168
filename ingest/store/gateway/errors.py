"""What an act on a routing table is refused for."""


class RouteError(Exception):
    """An act on a routing table that is refused."""


class TermUnknown(RouteError):
    """No category or model of the tenant or the catalogue has that name."""


class NotAllowed(RouteError):
    """The tenant has a list of allowed models, and the model is none of them."""


class TooManyModels(RouteError):
    """The tenant allows as many models as it may."""


class TooManyFallbacks(RouteError):
    """A route has more models that are asked if the first fails than it may, or one of its models twice."""
