"""Editing over gRPC."""
