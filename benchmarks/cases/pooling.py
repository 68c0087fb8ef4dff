"""Pooling and its gradient, held against the memory that they have to read and write.

Images are channels last for everyone: PyTorch sees them through a permutation, which is its
channels_last format. A gradient starts from the input and a cotangent, as a training step does: the
forward pass counts where a library needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import case

Function = Callable[..., Any]


class Pool:
    """One kind and window of 2-d pooling in each library, and its gradient."""

    def __init__(self, kind: str, image: tuple[int, ...], size: int, step: int, low: int) -> None:
        self.kind, self.image = kind, image
        self.size, self.step, self.low = size, step, low
        places = [(n + 2 * low - size) // step + 1 for n in image[1:-1]]
        self.out = (image[0], *places, image[-1])
        self.name = f"{kind} pool {size}x{size} stride {step} of {'x'.join(map(str, image))}"

    def inputs(self, rng: Any) -> list[Any]:
        """Image and cotangent."""
        return [rng.standard_normal(shape, dtype="float32") for shape in (self.image, self.out)]

    def bytes_of(self, *shapes: tuple[int, ...]) -> float:
        """Of float32 arrays."""
        total = 0.0
        for shape in shapes:
            count = 4.0
            for n in shape:
                count *= n
            total += count
        return total

    # ---- the libraries -------------------------------------------------------------------------

    def mlx(self, mx: Any, x: Any) -> Any:
        """Ours and MLX's."""
        import mlx.nn as nn

        layer = nn.MaxPool2d if self.kind == "max" else nn.AvgPool2d
        return layer(self.size, self.step, self.low)(x)

    def torch(self, torch: Any, x: Any) -> Any:
        """PyTorch's, channels last."""
        functional = torch.nn.functional
        function = functional.max_pool2d if self.kind == "max" else functional.avg_pool2d
        out = function(x.permute(0, 3, 1, 2), self.size, self.step, self.low)
        return out.permute(0, 2, 3, 1)

    def jax(self, jnp: Any, x: Any) -> Any:
        """JAX's reduce_window."""
        from jax import lax

        window, steps = (1, self.size, self.size, 1), (1, self.step, self.step, 1)
        margin = ((0, 0), (self.low, self.low), (self.low, self.low), (0, 0))
        if self.kind == "max":
            return lax.reduce_window(x, -jnp.inf, lax.max, window, steps, margin)
        return lax.reduce_window(x, 0.0, lax.add, window, steps, margin) / self.size**2

    def mlx_gradient(self, mx: Any, x: Any, c: Any) -> Any:
        """By ``mx.vjp``."""
        return mx.vjp(lambda x: self.mlx(mx, x), [x], [c])[1][0]

    def torch_gradient(self, torch: Any, x: Any, c: Any) -> Any:
        """By ``torch.autograd``."""
        x = x.detach().requires_grad_(True)
        return torch.autograd.grad(self.torch(torch, x), x, c)[0]

    def jax_gradient(self, jnp: Any, x: Any, c: Any) -> Any:
        """By ``jax.vjp``."""
        import jax

        return jax.vjp(lambda x: self.jax(jnp, x), x)[1](c)[0]

    def _forward(self, library: str) -> Function:
        function = getattr(self, library)
        return lambda module, x, c: function(module, x)

    def register(self) -> None:
        """A case for the result and one for the gradient."""
        libraries = ("mlx", "torch", "jax")
        case(
            self.name,
            self.inputs,
            **{library: self._forward(library) for library in libraries},
            amount=self.bytes_of(self.image, self.out),
            limit="copy",
        )
        read = [self.image, self.out] if self.kind == "max" else [self.out]
        case(
            f"{self.name}, gradient",
            self.inputs,
            **{library: getattr(self, f"{library}_gradient") for library in libraries},
            amount=self.bytes_of(self.image, *read),
            limit="copy",
        )


IMAGE = (16, 56, 56, 64)
for kind in ("max", "average"):
    for window in ((2, 2, 0), (3, 1, 1), (3, 2, 1)):
        Pool(kind, IMAGE, *window).register()
