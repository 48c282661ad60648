"""A user's own network by its import path: what it is called with, and what is no network."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
import torch
from torch import nn

from crossbar import EMActivation, replace_activations
from crossbar.networks import build_model, source_sha256

SOURCE = """
from torch import nn

class Plain(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(48, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, 4),
        )

    def forward(self, images):
        return self.layers(images)

class Asking(nn.Module):
    def __init__(self, activation, input_shape, n_classes=77):
        super().__init__()
        channels, rows, columns = input_shape
        self.first = nn.Linear(channels * rows * columns, 5)
        self.activations = nn.ModuleList([activation(0), activation(1)])
        self.last = nn.Linear(5, n_classes)

    def forward(self, images):
        features = self.first(images.flatten(1))
        for activation in self.activations:
            features = activation(features)
        return self.last(features)

class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(48, 4)

    def forward(self, images):
        return self.last(images.flatten(1)).relu()

def make(depth):
    return nn.Sequential(nn.Flatten(), *[nn.Linear(48, 48) for _ in range(depth)], nn.Linear(48, 4))

def pair():
    return nn.LSTM(4, 4)

class NoModule:
    pass

number = 3
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`mypackage.nets` in the working folder; forgotten again."""
    folder = tmp_path / "mypackage"
    folder.mkdir()
    (folder / "__init__.py").write_text("from mypackage.nets import Plain\n")
    (folder / "nets.py").write_text(SOURCE)
    (folder / "broken.py").write_text("def (:\n")
    (folder / "needy.py").write_text("import a_package_nobody_has\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.split(".")[0] == "mypackage":
            del sys.modules[name]


def build(target, activation=lambda _: nn.ReLU(), **arguments):
    return build_model(
        "custom",
        activation,
        target=target,
        arguments=arguments or None,
        input_shape=(3, 4, 4),
        n_classes=4,
    )


def em(asked: list[int]):
    def make(position: int) -> nn.Module:
        asked.append(position)
        return EMActivation()

    return make


def test_arguments_reach_the_call(package):
    assert build("mypackage.nets.Plain", width=3).layers[1].out_features == 3
    assert build("mypackage.Plain").layers[1].out_features == 8
    assert len(build("mypackage.nets.make", depth=3)) == 5


def test_what_a_signature_names_is_given(package):
    model = build("mypackage.nets.Asking")
    assert model.last.out_features == 4
    assert model(torch.zeros(2, 3, 4, 4)).shape == (2, 4)
    asked: list[int] = []
    model = build("mypackage.nets.Asking", em(asked))
    assert asked == [0, 1]
    assert all(isinstance(module, EMActivation) for module in model.activations)


def test_rectifiers_are_replaced_in_the_order_of_the_modules(package):
    asked: list[int] = []
    model = build("mypackage.nets.Plain", em(asked))
    assert [type(m).__name__ for m in model.layers][2:5] == [
        "EMActivation",
        "Linear",
        "EMActivation",
    ]
    assert asked[-2:] == [0, 1]
    kept = build("mypackage.nets.Plain")
    assert isinstance(kept.layers[2], nn.ReLU)


def test_a_rectifier_under_two_names_is_replaced_under_both():
    model = nn.Module()
    model.first = model.second = nn.ReLU()
    replace_activations(model, nn.Tanh)
    assert isinstance(model.first, nn.Tanh)
    assert isinstance(model.second, nn.Tanh)


@pytest.mark.parametrize(
    ("target", "arguments", "message"),
    [
        ("nowhere.Net", {}, "nowhere.Net: no module named 'nowhere'"),
        ("mypackage.nowhere.Net", {}, "no module named 'mypackage.nowhere'"),
        ("mypackage.needy.Net", {}, "mypackage.needy needs 'a_package_nobody_has'"),
        ("mypackage.broken.Net", {}, "broken.py, line 1: "),
        ("mypackage.nets.Net", {}, "has no Net; its networks: Plain, Asking, Functional"),
        ("Plain", {}, "'Plain' is no import path such as mypackage.MyNet"),
        ("mypackage/nets.py", {}, "is no import path"),
        ("mypackage..Plain", {}, "is no import path"),
        ("mypackage.nets.NoModule", {}, "makes a NoModule, not a torch.nn.Module"),
        ("mypackage.nets.number", {}, "is a int, no class or function"),
        ("mypackage.nets.make", {}, "missing 1 required positional argument: 'depth'"),
        ("mypackage.nets.Plain", {"wide": 3}, "unexpected keyword argument 'wide'"),
        ("mypackage.nets.pair", {}, "does not take 3 x 4 x 4 images: "),
        ("torch.nn.Flatten", {}, "gives (2, 48) for 2 images of 3 x 4 x 4, expected (2, 4)"),
    ],
)
def test_what_is_no_network_is_one_line(package, target, arguments, message):
    with pytest.raises(ValueError, match=r".") as caught:
        build(target, **arguments)
    assert message in str(caught.value)
    assert str(caught.value).startswith((target, f"'{target}'"))
    assert "\n" not in str(caught.value)


def test_nothing_to_replace_is_told_where_it_matters(package):
    assert build("mypackage.nets.Functional")
    with pytest.raises(ValueError, match=r"has no nn\.ReLU module to replace"):
        build("mypackage.nets.Functional", em([]))


def test_a_field_too_few_for_its_layers_is_told_as_such(package):
    def two(position: int) -> nn.Module:
        if position > 0:
            raise ValueError("layer 2 has none")
        return EMActivation()

    with pytest.raises(ValueError, match="layer 2 has none"):
        build("mypackage.nets.Plain", two)


def test_the_check_leaves_network_and_random_numbers_as_they_were(package):
    torch.manual_seed(3)
    checked = build("mypackage.nets.Plain")
    after = torch.rand(3)
    torch.manual_seed(3)
    plain = sys.modules["mypackage.nets"].Plain()
    assert torch.equal(torch.rand(3), after)
    assert checked.training
    for a, b in zip(checked.parameters(), plain.parameters(), strict=True):
        assert torch.equal(a, b)


def test_source_is_the_file_a_network_is_written_in(package):
    here, there = source_sha256("mypackage.nets.Plain"), source_sha256("mypackage.Plain")
    assert here is not None
    assert here == there
    (package / "nets.py").write_text(textwrap.dedent(SOURCE) + "\n# changed\n")
    assert source_sha256("mypackage.nets.Plain") != here
    assert source_sha256("torch._C.Generator") is None
