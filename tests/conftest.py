"""Fixtures shared by the tests; one thread, so that tests run side by side with anything else.

Rows of the ledger (M1, E9, 6.3) are on the page `device_models/cards/lsmo_pvdf_co.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_images import places

from device_models import DeviceCard, load_card
from experiments.data import DataError, load_data

__all__ = ["places"]

torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--real-data DIR`: folder with measurements that are not part of the project."""
    parser.addoption("--real-data", default=None, help="folder with measured data (gong_et_al.csv)")


@pytest.fixture(scope="session")
def card() -> DeviceCard:
    """The reconstructed card of the paper's device."""
    return load_card("lsmo_pvdf_co")


@pytest.fixture(scope="session")
def fashion_mnist() -> Path | None:
    """Real Fashion-MNIST is at hand (fetched into the cache where it was not)."""
    try:
        load_data()
    except DataError as error:
        pytest.skip(f"real data needed: {error}")


@pytest.fixture(params=["compiled", "compiled for many channels", "torch"], scope="module")
def kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    """Compiled kernels, those of large convolutions, or the plain forms that other devices take."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "torch":
            for module in ("reads.read", "arrays.array", "recipes.mixed_precision"):
                patch.setattr(f"crossbar.{module}.has_cpu_kernels", lambda *_, **__: False)
        if request.param == "compiled for many channels":
            patch.setattr("crossbar.reads.read_cpu.FEWEST_OUTPUTS", 1)
        yield request.param
