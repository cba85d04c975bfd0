"""A twin of a milling machine: energy and time per part against quality, on 18 recorded parts of wax."""
