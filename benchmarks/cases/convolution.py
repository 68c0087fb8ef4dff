"""Convolutions and their two gradients, held against the FMA peak.

Inputs are channels last for everyone: PyTorch sees them through a permutation, which is its
channels_last format.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import case

Function = Callable[..., Any]


class Convolution:
    """One shape: the convolution in each library, and the gradients of its input and weight."""

    def __init__(
        self,
        name: str,
        x: tuple[int, ...],
        w: tuple[int, ...],
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        transposed: bool = False,
    ) -> None:
        self.name, self.x, self.w = name, x, w
        self.stride, self.padding, self.groups = stride, padding, groups
        self.transposed = transposed
        self.spatial = len(x) - 2
        sizes = [self._size(n, k) for n, k in zip(x[1:-1], w[1:-1], strict=True)]
        self.out = (x[0], *sizes, w[0])

    def _size(self, n: int, k: int) -> int:
        if self.transposed:
            return (n - 1) * self.stride + k - 2 * self.padding
        return (n + 2 * self.padding - k) // self.stride + 1

    def flops(self) -> float:
        """Of the products that are needed."""
        per_pixel = 2.0 * self.w[0]
        for n in self.w[1:]:
            per_pixel *= n
        pixels = self.x if self.transposed else self.out
        for n in pixels[:-1]:
            per_pixel *= n
        return per_pixel

    def inputs(self, rng: Any) -> list[Any]:
        """Input, weight, cotangent of the output."""
        arrays = [rng.standard_normal(s, dtype="float32") for s in (self.x, self.w, self.out)]
        arrays[1] /= (self.w[-1] * len(self.w)) ** 0.5
        return arrays

    # ---- the libraries -------------------------------------------------------------------------

    def mlx(self, mx: Any, x: Any, w: Any) -> Any:
        """Ours and MLX's."""
        kind = "conv_transpose" if self.transposed else "conv"
        function = getattr(mx, f"{kind}{self.spatial}d")
        return function(x, w, self.stride, self.padding, groups=self.groups)

    def _first(self, x: Any) -> Any:
        return x.permute(0, self.spatial + 1, *range(1, self.spatial + 1))

    def _last(self, x: Any) -> Any:
        return x.permute(0, *range(2, self.spatial + 2), 1)

    def _torch_weight(self, w: Any) -> Any:
        # (filters, ..., channels); transposed convolutions take (channels, filters, ...).
        w = self._first(w)
        return w.transpose(0, 1).contiguous() if self.transposed else w

    def torch(self, torch: Any, x: Any, w: Any) -> Any:
        """PyTorch's, channels last."""
        kind = "conv_transpose" if self.transposed else "conv"
        function = getattr(torch.nn.functional, f"{kind}{self.spatial}d")
        options = {"stride": self.stride, "padding": self.padding, "groups": self.groups}
        return self._last(function(self._first(x), self._torch_weight(w), **options))

    def torch_gradient(self, which: int) -> Function:
        """PyTorch's backward function, asked for one gradient."""

        def run(torch: Any, x: Any, w: Any, c: Any) -> Any:
            ones = [1] * self.spatial
            zeros = [0] * self.spatial
            mask = [which == 0, which == 1, False]
            gradients = torch.ops.aten.convolution_backward(
                self._first(c),
                self._first(x),
                self._torch_weight(w),
                None,
                [self.stride] * self.spatial,
                [self.padding] * self.spatial,
                ones,
                self.transposed,
                zeros,
                self.groups,
                mask,
            )
            result = gradients[which]
            if which == 1 and self.transposed:
                result = result.transpose(0, 1)
            return self._last(result)

        return run

    def jax(self, jnp: Any, x: Any, w: Any) -> Any:
        """JAX's."""
        from jax import lax

        letters = "DHW"[3 - self.spatial :]
        layout = (f"N{letters}C", f"O{letters}I", f"N{letters}C")
        reach = self.w[1] - 1 - self.padding if self.transposed else self.padding
        dilation = self.stride if self.transposed else 1
        if self.transposed:
            w = jnp.flip(w, range(1, self.spatial + 1))
        return lax.conv_general_dilated(
            x,
            w,
            (1 if self.transposed else self.stride,) * self.spatial,
            [(reach, reach)] * self.spatial,
            lhs_dilation=(dilation,) * self.spatial,
            dimension_numbers=layout,
            feature_group_count=self.groups,
        )

    def mlx_gradient(self, which: int) -> Function:
        """By ``mx.vjp``."""

        def run(mx: Any, x: Any, w: Any, c: Any) -> Any:
            def function(a: Any) -> Any:
                return self.mlx(mx, *((a, w) if which == 0 else (x, a)))

            return mx.vjp(function, [(x, w)[which]], [c])[1][0]

        return run

    def jax_gradient(self, which: int) -> Function:
        """By ``jax.vjp``."""

        def run(jnp: Any, x: Any, w: Any, c: Any) -> Any:
            import jax

            def function(a: Any) -> Any:
                return self.jax(jnp, *((a, w) if which == 0 else (x, a)))

            return jax.vjp(function, (x, w)[which])[1](c)[0]

        return run

    def _forward(self, library: str) -> Function:
        function = getattr(self, library)
        return lambda module, x, w, c: function(module, x, w)

    def register(self) -> None:
        """A case for the convolution and one for each gradient."""
        options = {"amount": self.flops(), "limit": "fma", "tolerance": 1e-2}
        forward = {library: self._forward(library) for library in ("mlx", "torch", "jax")}
        turned = "the weight, transformed for fewer products"
        case(self.name, self.inputs, **forward, **options, workspace=turned)
        for which, of in enumerate(("input", "weight")):
            gradients = {
                library: getattr(self, f"{library}_gradient")(which)
                for library in ("mlx", "torch", "jax")
            }
            reason = (
                turned if which == 0 else "sums over pieces of the images, until they are added"
            )
            name = f"{self.name}, gradient of {of}"
            case(name, self.inputs, **gradients, **options, workspace=reason)

    def register_half(self, dtype: str) -> None:
        """A case for the convolution of a 16-bit dtype."""
        case(
            f"{self.name} {dtype}",
            lambda rng: [(x, dtype) for x in self.inputs(rng)],
            **{library: self._forward(library) for library in ("mlx", "torch", "jax")},
            amount=self.flops(),
            limit="bf16",
            tolerance=3e-2,
            workspace="the weight, packed or transformed, and what some outputs see",
        )


IMAGE = (8, 56, 56, 64)
SQUARES = [
    Convolution("conv2d 3x3 of 8x56x56x64", IMAGE, (64, 3, 3, 64), padding=1),
    Convolution("conv2d 1x1 of 8x56x56x64", IMAGE, (64, 1, 1, 64)),
    Convolution("conv2d 3x3 of 8x14x14x256", (8, 14, 14, 256), (256, 3, 3, 256), padding=1),
]
for shape in (
    *SQUARES,
    Convolution("depthwise conv2d 3x3 of 8x56x56x64", IMAGE, (64, 3, 3, 1), padding=1, groups=64),
    Convolution(
        "conv2d 7x7 stride 2 of 8x224x224x3", (8, 224, 224, 3), (64, 7, 7, 3), stride=2, padding=3
    ),
    Convolution("conv1d 5 of 8x1000x64", (8, 1000, 64), (64, 5, 64), padding=2),
    Convolution(
        "conv_transpose2d 4x4 stride 2 of 8x28x28x64",
        (8, 28, 28, 64),
        (64, 4, 4, 64),
        stride=2,
        padding=1,
        transposed=True,
    ),
):
    shape.register()
for shape in SQUARES:
    for dtype in ("bfloat16", "float16"):
        shape.register_half(dtype)
