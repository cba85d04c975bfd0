"""Programs that ask a node: stock Azure Digital Twins clients (adt.py), and history as data frames (space.py)."""
