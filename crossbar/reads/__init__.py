"""Reads of crossbars: converters, window, one chooser (`read`) of torch's and compiled forms."""
