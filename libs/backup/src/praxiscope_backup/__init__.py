"""Backups of the database and of the objects, and the way back to a point in time: `python -m praxiscope_backup`, docs/backup.md."""
