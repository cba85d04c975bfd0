"""Ectype: live digital twins on one signed log."""

__version__ = "0.1.0"
