"""Reads of a crossbar: converters, matrix product and noise, of vectors and of images."""
