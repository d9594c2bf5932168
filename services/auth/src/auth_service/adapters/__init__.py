"""Where auth keeps things: PostgreSQL, keys in files, Argon2."""
