"""What lies outside the domain."""
