"""Behaviours that ship: one file each, with the constants calibrated for it beside it."""
