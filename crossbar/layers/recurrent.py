"""RNN, LSTM and GRU whose weight matrices live on crossbar tiles."""

from __future__ import annotations

from typing import Any

import torch
from aihwkit.nn.modules.container import AnalogContainerBase
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from crossbar.layers.convolutions import MakeLayer, trained_like, turns_back, with_weights

State = tuple[Tensor, ...]
"""Hidden state and, for an LSTM, cell state."""

SETTINGS = (
    *("input_size", "hidden_size", "num_layers", "bias"),
    *("batch_first", "dropout", "bidirectional"),
)
KINDS = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN_TANH": nn.RNN, "RNN_RELU": nn.RNN}


@turns_back
class CrossbarRNN(AnalogContainerBase, nn.Module):
    """torch's RNN, LSTM or GRU: for each layer and direction one tile reads the inputs and one
    the hidden state. What lies between the two is digital.

    Inputs, states and outputs are those of torch, packed sequences included.
    """

    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool

    def __init__(self, digital: nn.RNNBase, make_layer: MakeLayer):
        super().__init__()
        self.mode = digital.mode
        for name in SETTINGS:
            setattr(self, name, getattr(digital, name))
        pairs = [_linear_pair(digital, suffix) for suffix in _suffixes(digital)]
        self.inputs = nn.ModuleList(make_layer(of_input) for of_input, _ in pairs)
        self.states = nn.ModuleList(make_layer(of_state) for _, of_state in pairs)

    def flatten_parameters(self) -> None:
        """torch's own has it for cuDNN; nothing is to be flattened here."""

    def forward(
        self, inputs: Tensor | PackedSequence, state: Tensor | State | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor | State]:
        """Outputs and last state, shapes as in `nn.LSTM`, `nn.GRU` or `nn.RNN`."""
        if isinstance(inputs, PackedSequence):
            steps, lengths = pad_packed_sequence(inputs)
            outputs, last = self._layers(steps, self._start(state, steps), lengths)
            return _packed_like(inputs, outputs, lengths), self._as_given(last)
        if inputs.dim() == 2:
            if state is not None:
                state = tuple(s[:, None] for s in _states(state))
            outputs, last = self._layers(inputs[:, None], self._start(state, inputs[:, None]))
            return outputs[:, 0], self._as_given(tuple(s[:, 0] for s in last))
        steps = inputs.transpose(0, 1) if self.batch_first else inputs
        outputs, last = self._layers(steps, self._start(state, steps))
        outputs = outputs.transpose(0, 1) if self.batch_first else outputs
        return outputs, self._as_given(last)

    @classmethod
    def to_digital(cls, module: CrossbarRNN, realistic: bool = False) -> nn.RNNBase:
        """torch's module with the weights of `module`."""
        settings = {name: getattr(module, name) for name in SETTINGS}
        if module.mode.startswith("RNN"):
            settings["nonlinearity"] = module.mode.removeprefix("RNN_").lower()
        digital = KINDS[module.mode](**settings)
        layers: list[Any]
        places = zip(_suffixes(digital), module.inputs, module.states, strict=True)
        with torch.no_grad():
            for suffix, *layers in places:
                for part, layer in zip(("ih", "hh"), layers, strict=True):
                    weight, bias = layer.get_weights(realistic=realistic)
                    getattr(digital, f"weight_{part}_{suffix}").copy_(weight)
                    if bias is not None:
                        getattr(digital, f"bias_{part}_{suffix}").copy_(bias)
        return digital

    def _start(self, state: Tensor | State | None, steps: Tensor) -> State:
        """The first state given, or zeros, (layers directions) x n x hidden each."""
        if state is not None:
            return _states(state)
        zeros = steps.new_zeros(len(self.inputs), steps.shape[1], self.hidden_size)
        return (zeros, zeros) if self.mode == "LSTM" else (zeros,)

    def _as_given(self, state: State) -> Tensor | State:
        return state if self.mode == "LSTM" else state[0]

    def _layers(
        self, steps: Tensor, start: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Outputs (length x n x directions*hidden) and last states of all layers."""
        alive = None
        if lengths is not None:
            alive = (torch.arange(len(steps))[:, None] < lengths)[..., None].to(steps.device)
        directions, ends = 2 if self.bidirectional else 1, []
        for first in range(0, len(self.inputs), directions):
            if first > 0:
                steps = functional.dropout(steps, self.dropout, self.training)
            outputs = []
            for number in range(first, first + directions):
                state = tuple(s[number] for s in start)
                output, end = self._direction(number, steps, state, alive, number > first)
                outputs.append(output)
                ends.append(end)
            steps = torch.cat(outputs, -1)
        return steps, tuple(torch.stack(s) for s in zip(*ends, strict=True))

    def _direction(
        self, number: int, steps: Tensor, state: State, alive: Tensor | None, reverse: bool
    ) -> tuple[Tensor, State]:
        """One layer in one direction; where a sequence is not `alive` its state stays."""
        read = self.inputs[number](steps)
        outputs: list[Tensor] = [steps] * len(steps)
        for t in reversed(range(len(steps))) if reverse else range(len(steps)):
            new = self._cell(read[t], self.states[number](state[0]), state)
            if alive is not None:
                new = tuple(torch.where(alive[t], a, b) for a, b in zip(new, state, strict=True))
            state = new
            outputs[t] = state[0]
        return torch.stack(outputs), state

    def _cell(self, x: Tensor, h: Tensor, state: State) -> State:
        """Next state from what the tiles read of the input, `x`, and of the hidden state, `h`."""
        if self.mode == "LSTM":
            i, f, g, o = (x + h).chunk(4, -1)
            cell = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
            return o.sigmoid() * cell.tanh(), cell
        if self.mode == "GRU":
            (r_x, z_x, n_x), (r_h, z_h, n_h) = x.chunk(3, -1), h.chunk(3, -1)
            keep = (z_x + z_h).sigmoid()
            new = (n_x + (r_x + r_h).sigmoid() * n_h).tanh()
            return ((1 - keep) * new + keep * state[0],)
        return ((x + h).tanh() if self.mode == "RNN_TANH" else (x + h).relu(),)


def _states(state: Tensor | State) -> State:
    return (state,) if isinstance(state, Tensor) else tuple(state)


def _suffixes(digital: nn.RNNBase) -> list[str]:
    """Endings of torch's parameter names, `l0`, `l0_reverse`, ..."""
    directions = ("", "_reverse") if digital.bidirectional else ("",)
    return [f"l{layer}{end}" for layer in range(digital.num_layers) for end in directions]


def _linear_pair(digital: nn.RNNBase, suffix: str) -> tuple[nn.Module, nn.Module]:
    """Layers that read the input and the hidden state, frozen where `digital` is."""
    layers = []
    for part in ("ih", "hh"):
        weight = getattr(digital, f"weight_{part}_{suffix}")
        bias = getattr(digital, f"bias_{part}_{suffix}") if digital.bias else None
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=digital.bias)
        layers.append(trained_like(with_weights(layer, weight, bias), weight, bias))
    return layers[0], layers[1]


def _packed_like(inputs: PackedSequence, outputs: Tensor, lengths: Tensor) -> PackedSequence:
    """Outputs (length x n x hidden) packed in the order of `inputs`."""
    order = inputs.sorted_indices
    if order is not None:
        outputs, lengths = outputs[:, order], lengths[order.cpu()]
    data = pack_padded_sequence(outputs, lengths).data
    return PackedSequence(data, inputs.batch_sizes, order, inputs.unsorted_indices)
