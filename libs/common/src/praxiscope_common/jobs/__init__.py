"""Long-running operations: a row for who asks, a job for who works, written in one transaction; see docs/operations.md."""
