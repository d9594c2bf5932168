"""Files, pixels and jobs behind rendering."""
