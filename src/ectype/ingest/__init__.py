"""From messages to the log: understood, checked, set aside where they are nonsense, and durable."""
