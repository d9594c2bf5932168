"""What is pure: names in the backup store, the write-ahead log's order, what is kept how long."""
