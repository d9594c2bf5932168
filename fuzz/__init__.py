"""Hostile and broken input for every public entry: made from a seed, so that every case can be made again."""
