"""The order of commits: each event knows its transaction, so that live cursors never skip one that commits late."""

from tortoise import migrations

from models.db.schema_operations import EngineSQL


class Migration(migrations.Migration):
    dependencies = [("models", "0006_documents")]

    # SQLite's writers come one after the other: there the order of the ids is the order of commits.
    operations = [
        EngineSQL(
            sqlite=[],
            postgres=[
                "ALTER TABLE events ADD COLUMN transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id()",
                "CREATE INDEX event_order ON events (transaction_id, id)",
            ],
        ),
    ]
