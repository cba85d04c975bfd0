"""The demo: the real La Haute Borne wind farm, four turbines, replayed as if live."""
