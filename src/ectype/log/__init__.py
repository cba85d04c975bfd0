"""What happened, in order: entries, the stores that keep them, the log, and folds of it."""
