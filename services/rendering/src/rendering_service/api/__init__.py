"""Rendering as a gRPC service."""
