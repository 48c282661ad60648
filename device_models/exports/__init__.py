"""Device cards for other simulators."""
