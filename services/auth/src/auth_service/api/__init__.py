"""Auth as gRPC services."""
