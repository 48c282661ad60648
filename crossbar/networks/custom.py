"""A user's own network by its import path."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import itertools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from crossbar.activation import replace_activations
from crossbar.networks.blocks import Activation, Shape, in_words


def build_custom(
    target: str,
    arguments: Mapping[str, Any] | None,
    activation: Activation,
    *,
    input_shape: Shape,
    n_classes: int,
) -> nn.Module:
    """The network that `target` makes, e.g. `mypackage.MyNet`, called with `arguments`.

    `activation`, `input_shape` (channels, rows, columns) and `n_classes` are given too where its
    signature names them. Where it does not name `activation`, its `nn.ReLU` modules are replaced
    unless they are what `activation` makes. It must turn images n x c x h x w into scores
    n x `n_classes`. Errors: ValueError, one line, for a target that is missing or no such network.
    """
    make = find_target(target)
    offered = {"activation": activation, "input_shape": input_shape, "n_classes": n_classes}
    named = _parameters(make)
    given = {key: value for key, value in offered.items() if key in named} | dict(arguments or {})
    try:
        model = make(**given)
    except TypeError as error:
        raise ValueError(f"{target}: {error}") from None
    if not isinstance(model, nn.Module):
        raise ValueError(f"{target} makes a {type(model).__name__}, not a torch.nn.Module")
    if "activation" not in named:
        model = _with_activation(model, activation, target)
    _check_scores(model, target, input_shape, n_classes)
    return model


def find_target(target: str) -> Callable[..., Any]:
    """The class or function with the import path `target`; the working folder is looked in too.

    Errors: ValueError where there is no such module or name, or where importing it fails.
    """
    module_name, _, name = target.rpartition(".")
    if not module_name or not all(part.isidentifier() for part in target.split(".")):
        raise ValueError(f"{target!r} is no import path such as mypackage.MyNet")
    module = _import(module_name, target)
    found = getattr(module, name, None)
    if found is None:
        others = [key for key, value in vars(module).items() if _is_network(value)]
        there = f"; its networks: {', '.join(others)}" if others else ""
        raise ValueError(f"{target}: {module_name} has no {name}{there}")
    if not callable(found):
        raise ValueError(f"{target} is a {type(found).__name__}, no class or function")
    return found


def source_sha256(target: str) -> str | None:
    """Hash of the file that `target` is written in, None where there is no such file."""
    try:
        path = inspect.getsourcefile(find_target(target))
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else None
    except (TypeError, OSError):
        return None


def _import(module_name: str, target: str) -> Any:
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.append(str(Path.cwd()))  # an installed command does not look there
    importlib.invalidate_caches()
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise ValueError(f"{target}: no module named {error.name!r}") from None
        raise ValueError(f"{target}: {module_name} needs {error.name!r}") from None
    except ImportError as error:
        raise ValueError(f"{target}: {error}") from None
    except SyntaxError as error:
        raise ValueError(f"{target}: {error.filename}, line {error.lineno}: {error.msg}") from None


def _parameters(make: Callable[..., Any]) -> set[str]:
    """Names a call takes; none for what has no signature."""
    try:
        return set(inspect.signature(make).parameters)
    except (TypeError, ValueError):
        return set()


def _is_network(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, nn.Module) and value is not nn.Module


def _with_activation(model: nn.Module, activation: Activation, target: str) -> nn.Module:
    """`model` with an activation in place of each `nn.ReLU`, in the order of its modules."""
    if isinstance(activation(0), nn.ReLU):
        return model
    if not any(isinstance(module, nn.ReLU) for module in model.modules()):
        raise ValueError(
            f"{target} has no nn.ReLU module to replace: use nn.ReLU() modules, or let it take an "
            f"argument `activation`, which makes the module of each position 0, 1, ..."
        )
    positions = itertools.count()
    return replace_activations(model, lambda: activation(next(positions)))


@torch.no_grad()
def _check_scores(model: nn.Module, target: str, input_shape: Shape, n_classes: int) -> None:
    """Raise ValueError unless two images give two rows of `n_classes` scores."""
    training = model.training
    words = in_words(input_shape)
    with torch.random.fork_rng(devices=[]):
        try:
            scores = model.eval()(torch.zeros(2, *input_shape))
        except (RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"{target} does not take {words} images: {error}") from None
        finally:
            model.train(training)
    shape = tuple(scores.shape) if isinstance(scores, torch.Tensor) else type(scores).__name__
    if shape != (2, n_classes):
        raise ValueError(
            f"{target} gives {shape} for 2 images of {words}, expected (2, {n_classes}): "
            f"one score for each of the {n_classes} classes"
        )
