"""The object store: bytes under keys, with a checksum on every object, in S3 or in the file system behind one port."""
