"""The commands, one a file: `python -m experiments.train`; the rooms beside them hold their parts.

Rows of the ledger (M1, E9, 3.5) are on the page `device_models/cards/lsmo_pvdf_co.md`.
"""
