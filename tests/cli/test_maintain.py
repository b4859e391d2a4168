"""`maintain`: one round, its report, and a status that tells a timer whether an operator must look."""

from datetime import UTC, datetime, timedelta

from ingest.store.partitions import partition_name
from tests.support import cluster, service

OLD = "events_20200101"
LAST = partition_name(datetime.now(UTC).date() + timedelta(7))
_DAYS = str(cluster.RETENTION_DAYS)


def maintain(dsn: str) -> tuple[int, list[str]]:
    ended = service.command("maintain", env=service.environment(dsn, retention_days=_DAYS))
    return ended.returncode, ended.stdout.decode().splitlines()


def test_a_round_says_what_it_did(database: str) -> None:
    cluster.run(database, f"DROP TABLE {LAST}")
    cluster.run(database, f"CREATE TABLE {OLD} (LIKE events)")
    cluster.run(database, f"ALTER TABLE {OLD} OWNER TO nocontent_maintainer")
    assert maintain(database) == (0, ["partitions: 1 created, 1 dropped, 0 postponed, 7 days ahead"])
    assert maintain(database) == (0, ["partitions: 0 created, 0 dropped, 0 postponed, 7 days ahead"])


def test_a_drop_that_is_put_off_is_no_failure(database: str) -> None:
    cluster.run(database, f"CREATE TABLE {OLD} (LIKE events)")
    cluster.run(database, f"ALTER TABLE {OLD} OWNER TO nocontent_maintainer")
    cluster.run(database, f"CREATE VIEW somebodys AS SELECT event_id FROM {OLD}")
    assert maintain(database) == (0, ["partitions: 0 created, 0 dropped, 1 postponed, 7 days ahead"])


def test_a_day_that_cannot_be_created_is_a_failure(database: str) -> None:
    cluster.run(database, f"DROP TABLE {LAST}")
    cluster.run(database, f"CREATE VIEW {LAST} AS SELECT 1")
    assert maintain(database) == (
        1,
        [
            "partitions: 0 created, 0 dropped, 0 postponed, 6 days ahead",
            "not created: 1; see the maintenance-failed log lines",
        ],
    )
