"""Where the library keeps things: PostgreSQL, the object store, signed tickets."""
