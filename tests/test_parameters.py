"""Parameters of the compact model."""

from __future__ import annotations

import pytest

from device_models import MemristorParameters
from device_models.junction import SOURCES


def test_every_parameter_says_where_it_comes_from():
    assert set(SOURCES) == set(MemristorParameters.__dataclass_fields__)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MemristorParameters(resistance_ratio=0.5), "must exceed 1, got 0.5"),
        (lambda: MemristorParameters(threshold_correlation=2), "-1 to 1, got 2"),
        (lambda: MemristorParameters(v_slope_V=0.0), "v_slope_V must be positive, got 0"),
    ],
)
def test_wrong_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
