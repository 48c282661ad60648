"""Stored runs: their identity, folders, records and results."""
