"""Sign-ups wait among the wishes, with what they say besides their address."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from models.db.schema_operations import EngineSQL

KNOWN = "CONSTRAINT wish_purpose_known CHECK (purpose IN ('SIGN_UP', 'ACTIVATION', 'PASSWORD_RESET', 'REACTIVATION'))"


class Migration(migrations.Migration):
    dependencies = [("models", "0013_wishes")]

    operations = [
        ops.AddField("Wish", "details", fields.TextField(null=True)),
        EngineSQL(
            sqlite=[
                # SQLite changes no constraint of a table that is there
                "CREATE TABLE wishes_anew (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, purpose VARCHAR(20) NOT NULL,"
                f" address TEXT NOT NULL, at TIMESTAMP NOT NULL, details TEXT, {KNOWN})",
                "INSERT INTO wishes_anew (id, purpose, address, at) SELECT id, purpose, address, at FROM wishes",
                "DROP TABLE wishes",
                "ALTER TABLE wishes_anew RENAME TO wishes",
            ],
            postgres=[
                "ALTER TABLE wishes DROP CONSTRAINT wish_purpose_known",
                f"ALTER TABLE wishes ADD {KNOWN}",
            ],
        ),
    ]
