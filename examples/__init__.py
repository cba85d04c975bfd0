"""Worked twins: each file is a plant, its behaviour, and what was achieved with it."""
