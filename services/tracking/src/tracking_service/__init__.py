"""The tracking service: identities over time."""
