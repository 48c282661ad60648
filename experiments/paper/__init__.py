"""The paper: how it is read, its measurements on the compact model, statements and figures.

Rows of the ledger (M1, E9, C2) are on the page `device_models/cards/lsmo_pvdf_co.md`.
"""
