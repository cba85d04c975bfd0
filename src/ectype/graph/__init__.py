"""The graph: types, twins, relationships and alarms as the log says they are now, in SQLite."""
