"""Vision as a gRPC service."""
