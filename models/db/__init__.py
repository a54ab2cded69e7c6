"""The database: one door to it, one dialect of SQL for both engines, and how rows are read without models."""
