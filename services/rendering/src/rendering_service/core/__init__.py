"""What is drawn where, without any way to draw it."""
