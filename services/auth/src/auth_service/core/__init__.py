"""What auth knows, without any way to store or send it."""
