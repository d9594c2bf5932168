"""The library: assets, uploads, operations."""
