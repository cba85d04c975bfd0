"""Ways in: each source moves bytes from the world to `ingest` and judges nothing on the way."""
