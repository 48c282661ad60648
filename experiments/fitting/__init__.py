"""The work of `fit_device`: from files and options to cards, reports and verdicts."""
