"""The order of commits outlives the server it was made on: each event knows its epoch, which a restore begins anew."""

from tortoise import migrations

from models.db.schema_operations import EngineSQL

# A transaction id says nothing outside the cluster that gave it. A restored event may have one that its new cluster
# hasn't come to yet; those written there must follow it all the same. A row that is visible and not one's own was
# written by a transaction below the snapshot's xmax: one at or beyond it came from another cluster.
EPOCH = """
CREATE FUNCTION event_epoch() RETURNS integer LANGUAGE plpgsql STABLE AS $$
DECLARE
    newest record;
BEGIN
    SELECT epoch, transaction_id INTO newest FROM events ORDER BY epoch DESC, transaction_id DESC LIMIT 1;
    IF newest.epoch IS NULL THEN
        RETURN 0;
    ELSIF newest.transaction_id >= pg_snapshot_xmax(pg_current_snapshot())
        AND newest.transaction_id <> pg_current_xact_id() THEN
        RETURN newest.epoch + 1;
    END IF;
    RETURN newest.epoch;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0009_service_codes")]

    operations = [
        EngineSQL(
            sqlite=[],
            postgres=[
                "ALTER TABLE events ADD COLUMN epoch integer NOT NULL DEFAULT 0",
                EPOCH,
                "ALTER TABLE events ALTER COLUMN epoch SET DEFAULT event_epoch()",
                "DROP INDEX event_order",
                "CREATE INDEX event_order ON events (epoch, transaction_id, id)",
            ],
        ),
    ]
