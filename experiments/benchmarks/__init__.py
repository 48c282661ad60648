"""Benchmarks: candidates measured in turn in one run, so that their ratios mean something."""
