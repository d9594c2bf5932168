"""Edits worlds: selections, edits, stacks of them."""
