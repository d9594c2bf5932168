"""Decisions as values: what fits, whether a version is good, what comes next."""
