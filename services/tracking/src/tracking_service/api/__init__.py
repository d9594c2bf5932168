"""Tracking as a gRPC service."""
