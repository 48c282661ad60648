"""The compact model of the LSMO/PVDF/Co junction: a reconstruction from the paper's text.

Rows of the ledger (M1, E9, 6.3) are on the page of its card, `device_models/cards/lsmo_pvdf_co.md`.
"""
