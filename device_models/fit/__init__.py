"""From pulse measurements to a device card with uncertainty."""

from device_models.fit.mixture import (
    as_mixture,
    fit_exponential_mixture,
    project_exponential_mixture,
)

__all__ = ["as_mixture", "fit_exponential_mixture", "project_exponential_mixture"]
