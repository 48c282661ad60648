"""Layers on tiles that aihwkit lacks, and which layers of a network can move there."""
