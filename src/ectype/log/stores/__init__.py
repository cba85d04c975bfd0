"""Where a log's frames are kept: one file a kind, all behind the contract in `base`."""
