"""Multi-head attention whose four projections live on crossbar tiles."""

from __future__ import annotations

import math

import torch
from aihwkit.nn.modules.container import AnalogContainerBase
from torch import Tensor, nn
from torch.nn import functional

from crossbar.layers.convolutions import MakeLayer, trained_like, turns_back, with_weights


@turns_back
class CrossbarAttention(AnalogContainerBase, nn.Module):
    """torch's `nn.MultiheadAttention` with query, key, value and output projections on tiles.

    Softmax, masks and dropout are digital. Inputs, masks and outputs are those of torch.
    """

    # What torch's transformer layers look at: with these they call `forward`, not a fused kernel.
    in_proj_weight = in_proj_bias = None
    _qkv_same_embed_dim = False

    def __init__(self, digital: nn.MultiheadAttention, make_layer: MakeLayer):
        super().__init__()
        self.embed_dim, self.num_heads = digital.embed_dim, digital.num_heads
        self.kdim, self.vdim = digital.kdim, digital.vdim
        self.dropout, self.batch_first = digital.dropout, digital.batch_first
        query, key, value = (make_layer(p) for p in _input_projections(digital))
        self.q_proj, self.k_proj, self.v_proj = query, key, value
        self.out_proj = make_layer(digital.out_proj)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Outputs and, with `need_weights`, the weights: shapes as in `nn.MultiheadAttention`.

        `is_causal` without `attn_mask` masks what comes later.
        """
        batched, swapped = query.dim() == 3, query.dim() == 3 and not self.batch_first
        inputs = [t.transpose(0, 1) if swapped else t for t in (query, key, value)]
        inputs = inputs if batched else [t[None] for t in inputs]
        projections = zip((self.q_proj, self.k_proj, self.v_proj), inputs, strict=True)
        q, k, v = (self._heads(projection(t)) for projection, t in projections)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if is_causal and attn_mask is None:
            attn_mask = torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1)
        weights = self._masked(scores, attn_mask, key_padding_mask).softmax(-1)
        weights = functional.dropout(weights, self.dropout, self.training)
        outputs = self.out_proj((weights @ v).transpose(1, 2).flatten(2))
        if average_attn_weights:
            weights = weights.mean(1)
        if not batched:
            outputs, weights = outputs[0], weights[0]
        outputs = outputs.transpose(0, 1) if swapped else outputs
        return outputs, weights if need_weights else None

    @classmethod
    def to_digital(
        cls, module: CrossbarAttention, realistic: bool = False
    ) -> nn.MultiheadAttention:
        """torch's attention with the weights of `module`."""
        projections = (module.q_proj, module.k_proj, module.v_proj, module.out_proj)
        q, k, v, out = (p.get_weights(realistic=realistic) for p in projections)
        layer = nn.MultiheadAttention(
            module.embed_dim,
            module.num_heads,
            module.dropout,
            bias=out[1] is not None,
            kdim=module.kdim,
            vdim=module.vdim,
            batch_first=module.batch_first,
        )
        given = dict(zip(("q", "k", "v"), (q, k, v), strict=True))
        with torch.no_grad():
            if layer._qkv_same_embed_dim:
                layer.in_proj_weight.copy_(torch.cat([weight for weight, _ in given.values()]))
            else:
                for name, (weight, _) in given.items():
                    getattr(layer, f"{name}_proj_weight").copy_(weight)
            if out[1] is not None:
                layer.in_proj_bias.copy_(torch.cat([bias for _, bias in given.values()]))
        with_weights(layer.out_proj, *out)
        return layer

    def _heads(self, vectors: Tensor) -> Tensor:
        """Vectors (n x length x embed) as n x heads x length x share of a head."""
        return vectors.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def _masked(
        self, scores: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None
    ) -> Tensor:
        """Scores (n x heads x length x keys) with both masks added."""
        if attn_mask is not None:
            mask = _additive(attn_mask, scores)
            scores = scores + (mask.view_as(scores) if mask.dim() == 3 else mask)
        if key_padding_mask is not None:
            padding = _additive(key_padding_mask, scores)
            scores = scores + padding.reshape(len(scores), 1, 1, -1)
        return scores


def _additive(mask: Tensor, like: Tensor) -> Tensor:
    """A mask to add: minus infinity where a boolean one is true."""
    if mask.dtype != torch.bool:
        return mask.to(like.dtype)
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill_(mask, -math.inf)


def _input_projections(digital: nn.MultiheadAttention) -> list[nn.Module]:
    """Query, key and value projections as layers, frozen where `digital` is."""
    shared, bias = digital.in_proj_weight, digital.in_proj_bias
    if shared is None:
        owners = [digital.q_proj_weight, digital.k_proj_weight, digital.v_proj_weight]
        weights = tuple(owners)
    else:
        owners, weights = [shared] * 3, shared.chunk(3)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    layers = []
    for weight, owner, part in zip(weights, owners, biases, strict=True):
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=part is not None)
        layers.append(trained_like(with_weights(layer, weight, part), owner, bias))
    return layers
