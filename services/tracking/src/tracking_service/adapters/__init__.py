"""What tracking needs from outside: jobs and stored files."""
