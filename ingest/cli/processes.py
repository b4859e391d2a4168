"""Every kind of serving process: its command, its application, its settings, and its role in the database.

An application is imported only when its process starts, so that no process loads another's packages.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ingest import config
from ingest.accounts.settings import AccountSettings
from ingest.alerts.letters.settings import LetterSettings
from ingest.alerts.mail.settings import MailSettings
from ingest.alerts.webhooks.settings import WebhookSettings
from ingest.console.settings import ConsoleSettings
from ingest.demo.settings import DemoSettings
from ingest.gateway.settings import GatewaySettings, ProcessSettings
from ingest.intake.settings import IntakeSettings
from ingest.legal.settings import LegalSettings
from ingest.rights.erasing.settings import ErasingSettings
from ingest.serving.application import Application
from ingest.serving.settings import ServingSettings
from ingest.usage.processor.settings import PaymentSettings
from ingest.usage.settings import JobsSettings

if TYPE_CHECKING:  # The gateway has no driver of a database.
    from collections.abc import Mapping

    from ingest.store.connections import Role


GRACEFUL_TIMEOUT_S = 30.0  # Longer than a request waits for its COMMIT.


@dataclass(frozen=True, kw_only=True)
class ServeSettings(
    AccountSettings,
    ConsoleSettings,
    MailSettings,  # Beside the others that have the console's origin.
    WebhookSettings,
    ErasingSettings,
    IntakeSettings,
    JobsSettings,
    LegalSettings,
    LetterSettings,
    PaymentSettings,
    ServingSettings,
):
    """Of the processes that serve."""


@dataclass(frozen=True, kw_only=True)
class Settings(DemoSettings, GatewaySettings, ServeSettings):
    """Of any command: one environment may start them all, so each knows the settings of the others."""


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings, of the environment or another; raises CannotStart as `config.load`."""
    return config.load(Settings, environ)


class Process(NamedTuple):
    """A kind of process; `role` is the PostgreSQL role of its connections, or None if it has no database.

    Without a role of `more` some of its paths answer 503. `addresses` are the settings that name where it listens,
    and `ending` the one that bounds, in seconds, the requests under way at a stop; none: GRACEFUL_TIMEOUT_S. `reads`
    are the settings that its help lists.
    """

    application: str  # module:name
    role: Role | None
    more: tuple[Role, ...] = ()
    addresses: tuple[str, str] = ("bind", "metrics_bind")
    ending: str = ""
    reads: type[config.Settings] = Settings

    def ending_s(self, settings: Settings) -> float:
        """Return how long requests under way may take after a stop."""
        return float(getattr(settings, self.ending)) if self.ending else GRACEFUL_TIMEOUT_S

    def load(self) -> Application:
        module, _, name = self.application.partition(":")
        application = getattr(importlib.import_module(module), name)
        assert isinstance(application, Application)
        return application


PROCESSES = {
    "serve": Process("ingest.alerts.process:APPLICATION", "nocontent_writer", more=("nocontent_usage_reader",)),
    "console": Process(
        "ingest.console.process:APPLICATION", "nocontent_console", addresses=("console_bind", "console_metrics_bind")
    ),
    "gateway": Process(
        "ingest.gateway.process:APPLICATION",
        None,
        addresses=("gateway_bind", "gateway_metrics_bind"),
        ending="gateway_drain_s",
        reads=ProcessSettings,
    ),
}
