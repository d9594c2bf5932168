"""A database whose clock is wrong: every `now()` and `clock_timestamp()` in it is shifted, in statements, functions and defaults."""

from __future__ import annotations

from tests.support.operations import execute

_SHIFT = """
SET allow_system_table_mods = on;
ALTER FUNCTION pg_catalog.now() RENAME TO true_now;
ALTER FUNCTION pg_catalog.clock_timestamp() RENAME TO true_clock_timestamp;
CREATE FUNCTION pg_catalog.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS 'SELECT pg_catalog.true_now() + interval ''{hours} hours''';
CREATE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT pg_catalog.true_clock_timestamp() + interval ''{hours} hours''';
DO $$
DECLARE found record;
BEGIN
    FOR found IN
        SELECT adrelid::regclass AS relation, attname AS name
        FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
        WHERE pg_get_expr(adbin, adrelid) = 'true_now()'
    LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT now()', found.relation, found.name);
    END LOOP;
END;
$$;
"""


async def shift_clock(superuser: str, hours: int) -> None:
    """Shifts a database's clock against that of everything else; for databases that are thrown away."""
    await execute(superuser, _SHIFT.format(hours=hours))
