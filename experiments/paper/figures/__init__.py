"""The paper's device figures, reconstructed with the compact model; one file = one figure."""
