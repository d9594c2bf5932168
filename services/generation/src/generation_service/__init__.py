"""Worlds from photos, from words, and from numbers."""
