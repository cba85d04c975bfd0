"""Plain data that crosses floors: blocks of samples, and JSON that hashes the same everywhere."""
