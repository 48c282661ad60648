"""Images to train on: found on this machine or fetched, and checked before use."""
