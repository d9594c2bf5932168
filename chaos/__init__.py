"""What is broken on purpose, and whether the platform comes through: `make chaos`. What it promises: docs/reliability.md."""
