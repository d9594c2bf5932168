"""PostgreSQL's programs and folders."""
