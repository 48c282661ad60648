"""A card's curves as torch tensors: differentiable in pulse number, parameters and field."""

from crossbar.curves.card_curves import QUANTITIES, CardCurves

__all__ = ["QUANTITIES", "CardCurves"]
