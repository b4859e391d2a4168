"""The grants of migration 0040: counts of the site, and releases across tenants."""

_RELEASES = dict.fromkeys(["insight_releases", "insight_routes"], "SELECT")
_SITE = dict.fromkeys(["site_pages", "site_referrers"], "SELECT")
INSIGHTS = {
    "nocontent_biller": _RELEASES | {"add_insight_release": "EXECUTE", "erasures.scope": "SELECT"},
    "nocontent_control": _RELEASES | _SITE | {"tenants.insights": "UPDATE"},
    "nocontent_console": _RELEASES
    | {"tenants.insights": "UPDATE", "count_site_pages": "EXECUTE", "count_site_referrers": "EXECUTE"},
    "nocontent_analyst": _RELEASES | _SITE,
}
