"""Prefixes of relations and functions: those of all tenants, or those of the tenant whose session reads.

The console's role has no privilege on the first, and the second show nothing of another tenant whatever a query asks.
"""

from typing import Literal

Prefix = Literal["nocontent.", "nocontent.own_"]
ALL: Prefix = "nocontent."
OWN: Prefix = "nocontent.own_"
