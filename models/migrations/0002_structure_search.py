"""What structure search walks along: prefixes and order by btree, any part of a name by trigrams."""

from tortoise import migrations

from models.db.schema_operations import EngineSQL


class Migration(migrations.Migration):
    dependencies = [("models", "0001_initial")]

    operations = [
        EngineSQL(
            sqlite=[
                "CREATE INDEX structure_name ON structures (folded_name, id)",
                "CREATE INDEX structure_identifier_prefix ON structures (identifier)",
                "CREATE VIRTUAL TABLE structure_names USING fts5("
                "folded_name, content='structures', content_rowid='id', tokenize='trigram')",
                "CREATE TRIGGER structure_names_insert AFTER INSERT ON structures BEGIN"
                " INSERT INTO structure_names (rowid, folded_name) VALUES (new.id, new.folded_name); END",
                "CREATE TRIGGER structure_names_update AFTER UPDATE OF folded_name ON structures BEGIN"
                " INSERT INTO structure_names (structure_names, rowid, folded_name)"
                " VALUES ('delete', old.id, old.folded_name);"
                " INSERT INTO structure_names (rowid, folded_name) VALUES (new.id, new.folded_name); END",
                "CREATE TRIGGER structure_names_delete AFTER DELETE ON structures BEGIN"
                " INSERT INTO structure_names (structure_names, rowid, folded_name)"
                " VALUES ('delete', old.id, old.folded_name); END",
            ],
            postgres=[
                "CREATE EXTENSION IF NOT EXISTS pg_trgm",
                'CREATE INDEX structure_name ON structures (folded_name COLLATE "C", id)',
                'CREATE INDEX structure_identifier_prefix ON structures (identifier COLLATE "C")',
                "CREATE INDEX structure_name_trigrams ON structures USING gin (folded_name gin_trgm_ops)",
            ],
        )
    ]
