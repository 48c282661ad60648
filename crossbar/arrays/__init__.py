"""Arrays of memristors: the state of every device, and what pulses do to it."""
