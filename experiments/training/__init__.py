"""Training a network: settings, loop, checkpoints, jobs of a sweep."""
