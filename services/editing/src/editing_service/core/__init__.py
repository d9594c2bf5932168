"""The domain of editing: worlds in, worlds out."""
