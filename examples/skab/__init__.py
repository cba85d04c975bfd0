"""SKAB's water loop: a twin that follows it, and says what is out of order and how much (docs/examples/skab.md)."""
