"""The library as gRPC services."""
