"""Biomechanics as a gRPC service and as jobs."""
