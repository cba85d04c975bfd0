"""Shared documents: rooms in which several people write at the same time."""
