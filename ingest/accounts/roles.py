"""The roles that a person can have in an organisation."""

from typing import Literal, get_args

Role = Literal["owner", "admin", "analyst", "auditor", "billing"]
ROLES: tuple[Role, ...] = get_args(Role)
