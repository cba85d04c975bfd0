"""The node: one space running. It wires the log, its folds, what comes in and what goes out."""
