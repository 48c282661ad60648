"""A tabulated basis that is kept as long as nothing it was made from has changed."""

from __future__ import annotations

from torch import Tensor, nn


class Kept:
    """A tabulated basis and the state of the buffers of the modules it was made from.

    torch counts every write to a tensor but those through `tensor.data`.
    """

    def __init__(self, basis: Tensor | None, *modules: nn.Module):
        self.basis = basis
        # Tensors of inference mode do not count how often they were written to.
        self._versions = [
            (module._buffers, name, buffer, -1 if buffer.is_inference() else buffer._version)
            for module in modules
            for name, buffer in module._buffers.items()
            if buffer is not None
        ]

    def is_current(self) -> bool:
        """Whether the modules have the same buffers still, not written to since."""
        for buffers, name, buffer, version in self._versions:
            if version < 0 or buffers[name] is not buffer or buffer._version != version:
                return False
        return True
