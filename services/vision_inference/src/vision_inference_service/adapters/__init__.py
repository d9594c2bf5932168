"""The outside world behind the ports of the core: the model server, media files."""
