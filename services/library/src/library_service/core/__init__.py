"""What the library knows, without any way to store or send it."""
