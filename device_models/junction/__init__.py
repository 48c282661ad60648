"""The compact model of the LSMO/PVDF/Co junction: a reconstruction from the paper's text."""
