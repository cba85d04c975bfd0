"""Measurements, estimates and forecasts over time."""
