"""The paper: how it is read, its measurements on the compact model, statements and figures."""
