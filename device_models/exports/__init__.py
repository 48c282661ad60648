"""Device cards for other simulators.

`neurosim` NeuroSim's parameters, `neurosim_curve` its form of one branch, `lookup_table` tables of
conductance changes, as CSV and for CrossSim.
"""

from device_models.exports.lookup_table import LookupTable, crosssim_files, table_csv
from device_models.exports.neurosim import NeuroSimParameters, neurosim_json, neurosim_parameters
from device_models.exports.neurosim_curve import NeuroSimBranch, fit_branch, normalised_curve

__all__ = [
    "LookupTable",
    "NeuroSimBranch",
    "NeuroSimParameters",
    "crosssim_files",
    "fit_branch",
    "neurosim_json",
    "neurosim_parameters",
    "normalised_curve",
    "table_csv",
]
