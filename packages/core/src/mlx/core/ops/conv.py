"""Convolutions over one to three spatial axes, channels last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any

from ..dtypes import floating, issubdtype
from ..op import Op, Shape, dynamic_shapes
from ..stream import StreamOrDevice
from .axes import as_int, as_ints, check_array
from .shape import Batched, broadcast_to, expand_dims, moveaxis, reshape, swapaxes

Maybe = tuple[array | None, ...]
Sizes = int | Sequence[int]

_SPATIAL = ("strides", "low", "high", "kernel_dilation", "input_dilation")
_PARAMS = (*_SPATIAL, "groups", "flip")

# ---- checks ------------------------------------------------------------------------------------

_LARGEST = 2**31 - 1


def per_axis(name: str, what: str, value: Any, spatial: int) -> Shape:
    """One integer for each spatial axis, from one for all or a sequence of them.

    Paddings below zero cut; strides and dilations count from one.
    """
    least = -_LARGEST if what.endswith("padding") else 1
    sizes = as_ints(value, what, name)
    if len(sizes) == 1:
        sizes = sizes * spatial
    if len(sizes) != spatial:
        raise ValueError(f"[{name}] {what} {sizes} has not one value for {spatial} spatial axes.")
    if min(sizes) < least or max(sizes) > _LARGEST:
        raise ValueError(f"[{name}] {what} {sizes} must be in [{least}, {_LARGEST}].")
    return sizes


def _factors(name: str, x: array, w: array, groups: int, stream: StreamOrDevice) -> list[array]:
    """Input and weight in their common dtype, their shapes checked."""
    check_array(name, x, w)
    image, kernel = x.shape, w.shape
    if not 3 <= len(image) <= 5:
        raise ValueError(
            f"[{name}] The input of shape {image} must be (batch, ..., channels) with one to "
            "three spatial axes."
        )
    if len(kernel) != len(image):
        raise ValueError(
            f"[{name}] The weight of shape {kernel} has {len(kernel)} dimensions; "
            f"(filters, ..., channels) has {len(image)} for an input of shape {image}."
        )
    channels, filters, seen = image[-1], kernel[0], kernel[-1]
    if groups < 1 or channels % groups or filters % groups:
        raise ValueError(
            f"[{name}] {groups} groups do not divide {channels} channels and {filters} filters."
        )
    if channels != seen * groups:
        raise ValueError(
            f"[{name}] Input {image} and weight {kernel} do not agree: the input has {channels} "
            f"channels, the weight {seen} in each of {groups} groups."
        )
    common = kernels.promote(x.dtype, w.dtype)
    if not issubdtype(common, floating):
        raise ValueError(f"[{name}] The dtype {common!r} is not floating.")
    return [kernels.cast(x, common, stream), kernels.cast(w, common, stream)]


# ---- the op ------------------------------------------------------------------------------------

_conv = Op("conv", params=_PARAMS)


def conv_general(
    input: array,
    weight: array,
    /,
    stride: Sizes = 1,
    padding: Sizes | Sequence[Sequence[int]] = 0,
    kernel_dilation: Sizes = 1,
    input_dilation: Sizes = 1,
    groups: int = 1,
    flip: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Convolution with every choice: ``y[n, i, f] = Σ x̂[n, i stride + k dilation, c] w[f, k, c]``.

    x̂ is the input with zeros between its elements, if it is dilated, and around them. Sums of
    16-bit inputs are computed in float32.

    Args:
        input: Floating array (n, ..., c) with one to three spatial axes.
        weight: Array (f, ..., c / groups).
        stride: Steps between outputs, of each spatial axis or of all.
        padding: Zeros before and after each spatial axis, or of all; or a pair of lists, those
            before and those after. Negative ones cut elements off.
        kernel_dilation: Steps between the elements of the weight.
        input_dilation: Steps between the elements of the input, with zeros between them.
        groups: Parts of the channels; each is convolved with as many of the filters.
        flip: Whether the spatial axes of the weight are reversed, as in signal processing.
        stream: Stream or device to run on.

    Returns:
        Array (n, ..., f) of the promoted dtype.

    Raises:
        ValueError: If the shapes do not agree, the dtype is not floating, or an axis with its
            padding is smaller than the weight's.

    Example:
        >>> x = mx.array([1.0, 2.0, 3.0]).reshape(1, 3, 1)
        >>> w = mx.array([1.0, 10.0]).reshape(1, 2, 1)
        >>> mx.conv_general(x, w, padding=([1], [0]), flip=True).flatten()
        array([1, 12, 23], dtype=float32)
    """
    return convolved(
        "conv_general",
        input,
        weight,
        stride,
        padding,
        kernel_dilation,
        input_dilation,
        groups,
        flip,
        stream,
    )


def convolved(
    name: str,
    input: array,
    weight: array,
    stride: Sizes,
    padding: Sizes | Sequence[Sequence[int]],
    kernel_dilation: Sizes,
    input_dilation: Sizes,
    groups: int,
    flip: bool,
    stream: StreamOrDevice,
) -> array:
    """``conv_general`` in the name of a function."""
    groups = as_int(groups, "groups", name)
    x, w = _factors(name, input, weight, groups, stream)
    spatial = x.ndim - 2
    low = high = padding
    if isinstance(padding, (list, tuple)) and any(isinstance(p, (list, tuple)) for p in padding):
        if len(padding) != 2:
            raise ValueError(f"[{name}] padding {padding} is no pair of lists of sizes.")
        low, high = padding
    params = {
        "strides": per_axis(name, "stride", stride, spatial),
        "low": per_axis(name, "padding", low, spatial),
        "high": per_axis(name, "padding", high, spatial),
        "kernel_dilation": per_axis(name, "kernel_dilation", kernel_dilation, spatial),
        "input_dilation": per_axis(name, "input_dilation", input_dilation, spatial),
    }
    _places(name, x.shape[1:-1], w.shape[1:-1], params)
    return _conv(x, w, groups=groups, flip=bool(flip), stream=stream, **params)


def _dilated(size: int, dilation: int) -> int:
    return (size - 1) * dilation + 1 if size else 0


def _places(name: str, image: Shape, kernel: Shape, params: dict[str, Any]) -> list[int]:
    """How many places the weight has along each spatial axis of the padded input."""
    places = []
    spatial = zip(image, kernel, *[params[size] for size in _SPATIAL], strict=True)
    for axis, (size, taps, stride, low, high, spread, apart) in enumerate(spatial):
        if taps == 0:
            raise ValueError(f"[{name}] Spatial axis {axis} of the weight is empty.")
        room = _dilated(size, apart) + low + high - _dilated(taps, spread)
        if room < 0:
            raise ValueError(
                f"[{name}] Spatial axis {axis} of the input has {size} elements; padded by {low} "
                f"and {high} it is smaller than that of the weight, which has {taps}."
            )
        places.append(room // stride + 1)
    return places


@_conv.infer
def _conv_infer(x: array, w: array, **params: Any) -> tuple[Shape, Dtype]:
    image, kernel = x.shape, w.shape
    places = _places("conv", image[1:-1], kernel[1:-1], params)
    return (image[0], *places, kernel[0]), x.dtype


def _turned(w: array, groups: int, first: int = 0) -> array:
    """The weight with filters (axis ``first``) and channels of each group exchanged."""
    if groups == 1:
        return swapaxes(w, first, -1)
    lead, kernel = w.shape[:first], w.shape[first + 1 : -1]
    filters, channels = w.shape[first] // groups, w.shape[-1]
    parts = reshape(w, (*lead, groups, filters, *kernel, channels))
    parts = swapaxes(parts, first + 1, -1)
    return reshape(parts, (*lead, groups * channels, *kernel, filters))


def _input_gradient(c: array, w: array, x: array, params: dict[str, Any]) -> array:
    """The cotangent of an input ``x`` from that of the output and the weight."""
    if dynamic_shapes():
        return _conv_input(c, w, x, **params)
    return _conv(c, _turned(w, params["groups"]), **_turned_params(c, w, x, params))


def _turned_params(c: array, w: array, x: array, params: dict[str, Any]) -> dict[str, Any]:
    """What stride left out is dilation now, and the other way round."""
    low, high = [], []
    for axis, before in enumerate(params["low"]):
        reach = _dilated(w.shape[1 + axis], params["kernel_dilation"][axis]) - 1
        seen = _dilated(c.shape[1 + axis], params["strides"][axis])
        low.append(reach - before)
        high.append(_dilated(x.shape[1 + axis], params["input_dilation"][axis]) - seen + before)
    return {
        **params,
        "strides": params["input_dilation"],
        "input_dilation": params["strides"],
        "low": tuple(low),
        "high": tuple(high),
        "flip": not params["flip"],
    }


@_conv.vjp
def _conv_vjp(c: array, out: array, x: array, w: array, **params: Any) -> tuple[array, array]:
    return (
        _input_gradient(c, w, x, params),
        _conv_weight(x, c, kernel=w.shape[1:-1], **params),
    )


def _bilinear(product: Callable[..., array], tangents: Maybe, a: array, b: array) -> array:
    """The tangent of what is linear in each of two inputs."""
    ta, tb = tangents
    left = None if ta is None else product(ta, b)
    right = None if tb is None else product(a, tb)
    if left is not None and right is not None:
        return left + right
    found = right if left is None else left
    assert found is not None
    return found


@_conv.jvp
def _conv_jvp(tangents: Maybe, out: array, x: array, w: array, **params: Any) -> array:
    return _bilinear(partial(_conv, **params), tangents, x, w)


# ---- batching ----------------------------------------------------------------------------------
#
# A batch of inputs is a larger batch; a batch of weights is more filters; both together are more
# groups.


def _batch_into_last(x: array, groups: int) -> array:
    """(b, ..., groups * c) as (..., groups * b * c)."""
    x = reshape(x, (*x.shape[:-1], groups, x.shape[-1] // groups))
    x = moveaxis(x, 0, -2)
    return reshape(x, (*x.shape[:-3], x.shape[-3] * x.shape[-2] * x.shape[-1]))


def _batch_from_last(x: array, groups: int, size: int) -> array:
    """(..., groups * b * c) as (b, ..., groups * c)."""
    x = reshape(x, (*x.shape[:-1], groups, size, x.shape[-1] // (groups * size)))
    x = moveaxis(x, -2, 0)
    return reshape(x, (*x.shape[:-2], x.shape[-2] * x.shape[-1]))


def _batch_into_first(w: array, groups: int) -> array:
    """(b, groups * f, ...) as (groups * b * f, ...)."""
    w = reshape(w, (w.shape[0], groups, w.shape[1] // groups, *w.shape[2:]))
    w = swapaxes(w, 0, 1)
    return reshape(w, (w.shape[0] * w.shape[1] * w.shape[2], *w.shape[3:]))


def _batch_from_first(w: array, groups: int, size: int) -> array:
    """(groups * b * f, ...) as (b, groups * f, ...)."""
    w = swapaxes(reshape(w, (groups, size, w.shape[0] // (groups * size), *w.shape[1:])), 0, 1)
    return reshape(w, (size, w.shape[1] * w.shape[2], *w.shape[3:]))


@_conv.vmap
def _conv_vmap(batched: Batched, x: array, w: array, **params: Any) -> array:
    groups = params["groups"]
    if batched == (True, False):
        out = _conv(reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:])), w, **params)
        return reshape(out, (*x.shape[:2], *out.shape[1:]))
    size = w.shape[0]
    if batched == (False, True):
        return _batch_from_last(_conv(x, _batch_into_first(w, groups), **params), groups, size)
    # Group (b, g): the batch comes first.
    x = _batch_into_last(x, 1)
    w = reshape(w, (size * w.shape[1], *w.shape[2:]))
    out = _conv(x, w, **{**params, "groups": size * groups})
    return _batch_from_last(out, 1, size)


# ---- the gradient of the weight ----------------------------------------------------------------

_conv_weight = Op("conv_weight", params=(*_PARAMS, "kernel"))


@_conv_weight.infer
def _conv_weight_infer(x: array, c: array, **params: Any) -> tuple[Shape, Dtype]:
    channels = x.shape[-1] // params["groups"]
    return (c.shape[-1], *params["kernel"], channels), x.dtype


def _of_conv(params: dict[str, Any]) -> dict[str, Any]:
    return {name: params[name] for name in _PARAMS}


@_conv_weight.vjp
def _conv_weight_vjp(
    cw: array, out: array, x: array, c: array, **params: Any
) -> tuple[array, array]:
    params = _of_conv(params)
    return _input_gradient(c, cw, x, params), _conv(x, cw, **params)


@_conv_weight.jvp
def _conv_weight_jvp(tangents: Maybe, out: array, x: array, c: array, **params: Any) -> array:
    return _bilinear(partial(_conv_weight, **params), tangents, x, c)


@_conv_weight.vmap
def _conv_weight_vmap(batched: Batched, x: array, c: array, **params: Any) -> array:
    groups = params["groups"]
    if batched == (True, False):
        # More channels of each group.
        size = x.shape[0]
        out = _conv_weight(_batch_into_last(x, groups), c, **params)
        return _batch_from_last(out, 1, size)
    size = c.shape[0]
    if batched == (False, True):
        out = _conv_weight(x, _batch_into_last(c, groups), **params)
        return _batch_from_first(out, groups, size)
    params = {**params, "groups": size * groups}
    out = _conv_weight(_batch_into_last(x, 1), _batch_into_last(c, 1), **params)
    return _batch_from_first(out, 1, size)


# ---- the gradient of the input, where shapes may change ------------------------------------------
#
# It is a convolution again, but how it is padded at the end depends on the input's shape.

_conv_input = Op("conv_input", params=_PARAMS)


@_conv_input.infer
def _conv_input_infer(c: array, w: array, x: array, **params: Any) -> tuple[Shape, Dtype]:
    return x.shape, c.dtype


@_conv_input.rebuild
def _conv_input_rebuild(c: array, w: array, x: array, **params: Any) -> array:
    return _input_gradient(c, w, x, params)


@_conv_input.vjp
def _conv_input_vjp(
    cx: array, out: array, c: array, w: array, x: array, **params: Any
) -> tuple[array, array, None]:
    return _conv(cx, w, **params), _conv_weight(cx, c, kernel=w.shape[1:-1], **params), None


@_conv_input.jvp
def _conv_input_jvp(
    tangents: Maybe, out: array, c: array, w: array, x: array, **params: Any
) -> array | None:
    if tangents[0] is None and tangents[1] is None:
        return None

    def product(c: array, w: array) -> array:
        return _conv_input(c, w, x, **params)

    return _bilinear(product, tangents[:2], c, w)


@_conv_input.vmap
def _conv_input_vmap(batched: Batched, c: array, w: array, x: array, **params: Any) -> array:
    # Here the shape of a slice is that of the recording.
    sliced = [a[0] if mapped else a for mapped, a in zip(batched, (c, w, x), strict=True)]
    turned = _turned_params(sliced[0], sliced[1], sliced[2], params)
    w = _turned(w, params["groups"], 1 if batched[1] else 0)
    if not any(batched[:2]):
        return broadcast_to(expand_dims(_conv(c, w, **turned), 0), x.shape)
    return _conv_vmap(batched[:2], c, w, **turned)


__all__ = ["conv_general"]
