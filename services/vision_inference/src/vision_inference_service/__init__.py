"""Finds people, their joints and everyday objects in pictures and videos."""
