"""The roles of people; what each may do on a page is the page's."""

from typing import Literal, get_args

Role = Literal["owner", "admin", "analyst", "auditor", "billing"]
ROLES: tuple[Role, ...] = get_args(Role)
MANAGERS: frozenset[Role] = frozenset(("owner", "admin"))


def may_manage(role: Role, other: Role) -> bool:
    """Return whether a person of a role may invite or change one of another; the database asks the same."""
    return role == "owner" or (role == "admin" and other != "owner")
