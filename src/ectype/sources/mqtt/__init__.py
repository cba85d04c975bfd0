"""Ectype as an MQTT endpoint: one idea per file, from bytes to what many clients share."""
