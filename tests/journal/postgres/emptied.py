"""Empties the journal of a database that tests share."""

EMPTY = """DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables
        WHERE schemaname = 'vertexkit' AND tablename <> 'journal'
    LOOP EXECUTE format('DELETE FROM vertexkit.%I', name); END LOOP;
END $$"""
"""A statement that deletes the rows of every table but the one with the version of the schema, if there
is a schema. Executions have the same ids in each test: a row of one that is left belongs to another."""
