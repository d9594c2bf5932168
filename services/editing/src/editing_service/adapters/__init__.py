"""What editing needs of the world outside."""
