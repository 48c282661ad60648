"""Curve laws: the response of a device as a function of the number of pulses it received.

A law is a formula with its parameters, nothing else: fitting lives in `fit/`, the device card in
`card/`. Values carry the unit of the card that owns them (ohm, siemens or arbitrary).

Every law also has a second set of coordinates, `theta`: the start value, logarithms of what must
be positive, and whatever is free. In these a fit needs no bounds, an error bar keeps its meaning,
and every draw from a covariance is again a monotone curve.
"""

from device_models.curves.exponentials import ExponentialMixture
from device_models.curves.geometric import GeometricExponential, GeometricLogistic, GeometricSpline
from device_models.curves.mixing import Blend, Inverse, blend
from device_models.curves.power_laws import LogStep, PowerLaw
from device_models.curves.response import FloatArray, Law, Response
from device_models.curves.sigmoids import Logistic, StretchedExponential
from device_models.curves.splines import MonotoneSpline, spline_design

__all__ = [
    "LAWS",
    "Blend",
    "ExponentialMixture",
    "FloatArray",
    "GeometricExponential",
    "GeometricLogistic",
    "GeometricSpline",
    "Inverse",
    "Law",
    "LogStep",
    "Logistic",
    "MonotoneSpline",
    "PowerLaw",
    "Response",
    "StretchedExponential",
    "blend",
    "spline_design",
]

LAWS: dict[str, type[Law]] = {
    law.name: law
    for law in (
        ExponentialMixture,
        PowerLaw,
        LogStep,
        Logistic,
        StretchedExponential,
        MonotoneSpline,
        GeometricExponential,
        GeometricLogistic,
        GeometricSpline,
    )
}
"""Every law a card may hold, by its name in the card."""
