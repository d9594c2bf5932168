"""Rendering: draws what was measured."""
