"""The paper: how it is read, its measurements on the compact model, statements and figures.

`reading` where its text leaves a choice, `measurements` what it measures, carried out on the model,
`statements/` what it says, row by row, each with its check, `figures/` one file a figure. Rows of
the ledger (M1, E9, C2) are on the page `device_models/cards/lsmo_pvdf_co.md`.
"""
