"""Module: the base class of every layer and model.

What lives here: the tree of parameters, freezing, training mode, taking weights. What does not:
any layer.
"""

from __future__ import annotations

import math
import os
import sys
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import mlx.core as mx
from mlx.utils import tree_flatten, tree_unflatten

Predicate: TypeAlias = Callable[["Module", str, Any], bool]


class Module(dict):
    """A tree of parameters and sub-modules with a forward function.

    A module is a ``dict``: arrays, containers and modules assigned as attributes become items and
    so part of the tree; everything else stays an ordinary attribute. Names that begin with an
    underscore are not parameters.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> class MLP(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hidden = nn.Linear(4, 8)
        ...         self.output = nn.Linear(8, 2)
        ...
        ...     def __call__(self, x):
        ...         return self.output(nn.relu(self.hidden(x)))
        >>> MLP()(mx.ones((3, 4))).shape
        (3, 2)
    """

    __call__: Callable[..., Any]

    def __init__(self) -> None:
        self._no_grad: set[str] = set()
        self._training = True

    @property
    def training(self) -> bool:
        """Whether the module is in training mode."""
        return self._training

    @property
    def state(self) -> Module:
        """The module's own dictionary.

        Its parameters and everything else in the tree, to be captured by ``mx.compile``.
        """
        return self

    # The tree is the dict; __dict__ holds what is not part of it. A subclass may give `[]` and `in`
    # a meaning of its own.

    def __getattr__(self, key: str) -> Any:
        try:
            return dict.__getitem__(self, key)
        except KeyError:
            message = f"{type(self).__name__!r} object has no attribute {key!r}"
            raise AttributeError(message) from None

    def __setattr__(self, key: str, value: Any) -> None:
        if isinstance(value, (mx.array, dict, list, tuple)):
            self.__dict__.pop(key, None)
            dict.__setitem__(self, key, value)
        else:
            super().__setattr__(key, value)
            self.pop(key, None)

    def __delattr__(self, name: str) -> None:
        if dict.__contains__(self, name):
            dict.__delitem__(self, name)
        else:
            super().__delattr__(name)

    def _extra_repr(self) -> str:
        return ""

    def _misuse(self, problem: object) -> ValueError | TypeError:
        """The error for an input that does not fit: names the class and the place in the model."""
        kind = TypeError if isinstance(problem, TypeError) else ValueError
        return kind(f"[{type(self).__name__}{_place_in_model(self)}] {problem}")

    def _bound(self, fan: int) -> float:
        """``1 / sqrt(fan)``: within it weights start that have ``fan`` inputs each."""
        if not hasattr(fan, "__index__") or fan < 1:
            raise self._misuse(f"A size of {fan!r} is no positive integer.")
        return math.sqrt(1 / fan)

    def __repr__(self) -> str:
        children = tree_flatten(self.children(), is_leaf=self.is_module)
        text = f"{type(self).__name__}({self._extra_repr()}"
        for name, child in children:
            if self.is_module(child):
                text += "\n" + textwrap.indent(f"({name}): {child!r}", "  ")
        return text + ("\n)" if children else ")")

    # ---- walking -----------------------------------------------------------------------------

    def filter_and_map(
        self,
        filter_fn: Predicate,
        map_fn: Callable[[Any], Any] | None = None,
        is_leaf_fn: Predicate | None = None,
    ) -> dict[str, Any]:
        """Keeps the items that ``filter_fn(module, key, value)`` accepts and maps the leaves.

        Args:
            filter_fn: whether an item belongs to the result; asked at every level.
            map_fn: applied to each leaf. Default: the identity.
            is_leaf_fn: where the walk stops. Default: at everything that is no module, dict or
                list.

        Returns:
            A tree of dicts and lists shaped like the module.

        Raises:
            RuntimeError: if ``is_leaf_fn`` calls a module a non-leaf that the walk cannot enter.
        """
        return {
            key: _map_item(self, key, value, filter_fn, map_fn, is_leaf_fn)
            for key, value in self.items()
            if filter_fn(self, key, value)
        }

    @staticmethod
    def is_module(value: Any) -> bool:
        """Whether ``value`` is a :class:`Module`."""
        return isinstance(value, Module)

    @staticmethod
    def valid_child_filter(module: Module, key: str, value: Any) -> bool:
        """Accepts what may hold sub-modules: dicts (modules among them) and lists."""
        return isinstance(value, (dict, list))

    @staticmethod
    def valid_parameter_filter(module: Module, key: str, value: Any) -> bool:
        """Accepts arrays and what may hold them, unless the name begins with an underscore."""
        return isinstance(value, (dict, list, mx.array)) and not key.startswith("_")

    @staticmethod
    def trainable_parameter_filter(module: Module, key: str, value: Any) -> bool:
        """Accepts parameters that are not frozen."""
        return (
            isinstance(value, (dict, list, mx.array))
            and not key.startswith("_")
            and key not in module._no_grad
        )

    def parameters(self) -> dict[str, Any]:
        """All arrays of the tree, as nested dicts and lists."""
        return self.filter_and_map(self.valid_parameter_filter)

    def trainable_parameters(self) -> dict[str, Any]:
        """The arrays of the tree that are not frozen, as nested dicts and lists."""
        return self.filter_and_map(self.trainable_parameter_filter)

    def children(self) -> dict[str, Any]:
        """The direct sub-modules, as nested dicts and lists."""
        return self.filter_and_map(
            self.valid_child_filter, is_leaf_fn=lambda module, key, value: self.is_module(value)
        )

    def leaf_modules(self) -> dict[str, Any]:
        """The sub-modules that hold no other module, as nested dicts and lists."""

        def is_leaf(module: Module, key: str, value: Any) -> bool:
            return self.is_module(value) and not tree_flatten(
                value.children(), is_leaf=self.is_module
            )

        return self.filter_and_map(self.valid_child_filter, is_leaf_fn=is_leaf)

    def named_modules(self) -> list[tuple[str, Module]]:
        """This module and all below it with their dotted names; the root's name is empty."""
        found: list[tuple[str, Module]] = []
        pending: list[tuple[str, Module]] = [("", self)]
        while pending:
            prefix, module = pending.pop()
            found.append((prefix, module))
            start = f"{prefix}." if prefix else ""
            pending.extend(
                (start + name, child)
                for name, child in tree_flatten(module.children(), is_leaf=self.is_module)
                if isinstance(child, Module)
            )
        return found

    def modules(self) -> list[Module]:
        """This module and all below it."""
        return [module for _, module in self.named_modules()]

    def apply_to_modules(self, apply_fn: Callable[[str, Module], Any]) -> Module:
        """Calls ``apply_fn(name, module)`` for this module and all below it; returns ``self``."""
        for name, module in self.named_modules():
            apply_fn(name, module)
        return self

    def apply(
        self, map_fn: Callable[[mx.array], mx.array], filter_fn: Predicate | None = None
    ) -> Module:
        """Replaces each parameter that ``filter_fn`` accepts by ``map_fn(parameter)``.

        Without ``filter_fn`` it replaces all. Returns ``self``.
        """
        self.update(self.filter_and_map(filter_fn or self.valid_parameter_filter, map_fn))
        return self

    # ---- changing ----------------------------------------------------------------------------

    def update(self, parameters: dict[str, Any], strict: bool = True) -> Module:  # type: ignore[override]
        """Replaces parameters by those of a (partial) tree of the same shape; returns ``self``.

        Args:
            parameters: nested dicts and lists of arrays.
            strict: raise for a name that the module does not have, and for what is no array; else
                such names are left out, and what stands for an array replaces it, whatever it is.

        Raises:
            ValueError: if ``strict`` and a name or an index is unknown, or a leaf is no array.
        """
        _update_parameters(self, parameters, strict)
        return self

    def update_modules(self, modules: dict[str, Any], strict: bool = True) -> Module:
        """Replaces sub-modules by those of a (partial) tree.

        An empty dict leaves its place as it is.

        Raises:
            ValueError: if ``strict`` and a name is unknown or what stands there or comes is no
                module.
        """
        _update_modules(self, modules, strict)
        return self

    def freeze(
        self,
        *,
        recurse: bool = True,
        keys: str | Iterable[str] | None = None,
        strict: bool = False,
    ) -> Module:
        """Takes parameters out of ``trainable_parameters()``; returns ``self``.

        Args:
            recurse: also in all sub-modules.
            keys: the names to freeze in each module. Default: all parameters.
            strict: raise if no module has an item of one of the names.

        Raises:
            KeyError: if ``strict`` and a name is unknown.
        """
        return self._set_frozen(True, recurse, keys, strict)

    def unfreeze(
        self,
        *,
        recurse: bool = True,
        keys: str | Iterable[str] | None = None,
        strict: bool = False,
    ) -> Module:
        """Puts parameters back into ``trainable_parameters()``; arguments as :meth:`freeze`."""
        return self._set_frozen(False, recurse, keys, strict)

    def _set_frozen(
        self, frozen: bool, recurse: bool, keys: str | Iterable[str] | None, strict: bool
    ) -> Module:
        modules = self.modules() if recurse else [self]
        given = [keys] if isinstance(keys, str) else None if keys is None else list(keys)
        if given is not None and not all(isinstance(key, str) for key in given):
            raise TypeError(f"[Module] The keys to freeze or unfreeze, {given}, are not all names.")
        if given and strict:
            for key in given:
                if not any(key in module for module in modules):
                    raise KeyError(f"Module doesn't contain member {key}.")
        for module in modules:
            if frozen:
                module._no_grad.update(_own_parameters(module) if given is None else given)
            elif given is None:
                module._no_grad.clear()
            else:
                module._no_grad.difference_update(given)
        return self

    def train(self, mode: bool = True) -> Module:
        """Sets training mode on this module and all below it; returns ``self``."""
        for module in self.modules():
            module._training = mode
        return self

    def eval(self) -> Module:
        """Sets evaluation mode: ``train(False)``."""
        return self.train(False)

    def set_dtype(
        self,
        dtype: mx.Dtype,
        predicate: Callable[[mx.Dtype], bool] | None = lambda dtype: mx.issubdtype(
            dtype, mx.floating
        ),
    ) -> Module:
        """Casts the parameters whose dtype the predicate accepts.

        Without a predicate these are the floating ones. Returns ``self``.
        """
        accepts = predicate or (lambda dtype: True)
        return self.apply(lambda a: a.astype(dtype) if accepts(a.dtype) else a)

    # ---- weights -----------------------------------------------------------------------------

    def load_weights(
        self,
        file_or_weights: str | os.PathLike[str] | Iterable[tuple[str, mx.array]],
        strict: bool = True,
    ) -> Module:
        """Takes weights from a file or from ``(name, array)`` pairs; returns ``self``.

        A file that has a path is mapped: a weight is read when it is first used.

        Args:
            file_or_weights: the path of an ``.npz`` or ``.safetensors`` file, or pairs with dotted
                names such as ``"layers.0.weight"``.
            strict: names and shapes must be exactly the module's; else unknown names are left out,
                missing ones keep what they have, and shapes are not looked at.

        Raises:
            ValueError: if ``strict`` and a name is missing or unknown, or a shape or type differs;
                the error lists them all, and nothing is changed. Also if the file holds an array
                without a name.
            OSError: if the file cannot be opened.
            RuntimeError: if the file breaks a rule of its format.

        Example:
            >>> import mlx.core as mx
            >>> import mlx.nn as nn
            >>> nn.Linear(2, 1).save_weights("linear.safetensors")
            >>> nn.Linear(2, 1).load_weights("linear.safetensors")
            Linear(input_dims=2, output_dims=1, bias=True)
        """
        weights = _named_weights(file_or_weights)
        if strict:
            _check_weights(dict(weights), dict(tree_flatten(self.parameters())))
        if weights:
            self.update(tree_unflatten(weights), strict=False)
        return self

    def save_weights(self, file: str | os.PathLike[str]) -> None:
        """Saves all parameters under their dotted names.

        The file appears when all is written, and replaces one that was there.

        Args:
            file: a path that ends with ``.npz`` or ``.safetensors``, which says the format.

        Raises:
            ValueError: if it ends otherwise.
            OSError: if the file cannot be written.
        """
        path = os.fspath(file)
        weights = tree_flatten(self.parameters(), destination={})
        if path.endswith(".npz"):
            mx.savez(path, **weights)
        elif path.endswith(".safetensors"):
            mx.save_safetensors(path, weights)
        else:
            raise ValueError(f"[save_weights] {path!r} ends with neither .npz nor .safetensors.")


def _map_item(
    module: Module,
    key: str,
    value: Any,
    filter_fn: Predicate,
    map_fn: Callable[[Any], Any] | None,
    is_leaf_fn: Predicate | None,
) -> Any:
    is_leaf = is_leaf_fn(module, key, value) if is_leaf_fn else not isinstance(value, (dict, list))
    if is_leaf:
        return map_fn(value) if map_fn else value
    if isinstance(value, Module):
        return value.filter_and_map(filter_fn, map_fn, is_leaf_fn)
    if isinstance(value, dict):
        entries = ((k, f"{key}.{k}", v) for k, v in value.items())
        return {
            k: _map_item(module, path, v, filter_fn, map_fn, is_leaf_fn)
            if filter_fn(module, path, v)
            else {}
            for k, path, v in entries
        }
    if isinstance(value, list):
        entries = ((f"{key}.{i}", v) for i, v in enumerate(value))
        return [
            _map_item(module, path, v, filter_fn, map_fn, is_leaf_fn)
            if filter_fn(module, path, v)
            else {}
            for path, v in entries
        ]
    raise RuntimeError(f"[Module] {key!r} of type {type(value).__name__} is no leaf and no tree.")


def _own_parameters(module: Module) -> list[str]:
    """The names of the parameters in no sub-module; dotted where a container holds them."""
    own = module.filter_and_map(
        lambda m, k, v: not isinstance(v, Module) and m.valid_parameter_filter(m, k, v)
    )
    return [name for name, _ in tree_flatten(own)]


def _place_in_model(module: Module) -> str:
    """Where a module is in the outermost one that is being called: " at layers.3.attention".

    A module does not know what holds it; the calls on the stack do. Asked only for an error.
    """
    path = ""
    frame = sys._getframe(1)
    while frame := frame.f_back:
        names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
        caller = frame.f_locals.get(names[0]) if names else None
        if isinstance(caller, Module) and caller is not module:
            path = next((name for name, part in caller.named_modules() if part is module), path)
    return f" at {path}" if path else ""


# The place of an item: the place of its container and its key. It becomes text when an error does.
_Place: TypeAlias = "tuple[_Place | None, Any]"


def _dotted(place: _Place | None) -> str:
    keys: list[str] = []
    while place:
        place, key = place
        keys.append(str(key))
    return ".".join(reversed(keys)) or "the module"


def _wrong_type(value: Any, place: _Place | None) -> ValueError:
    return ValueError(f"Received invalid type: {type(value).__name__} for {_dotted(place)}.")


def _is_row(target: Any) -> bool:
    """Whether a module says itself what stands at an index, as a list of layers does."""
    return isinstance(target, Module) and type(target).__getitem__ is not dict.__getitem__


def _keys(target: Any, source: Any, kind: str, strict: bool, place: _Place | None) -> Iterable[Any]:
    """The keys of a tree that the container at a place has too."""
    if isinstance(source, dict) and isinstance(target, dict):
        if source.keys() <= target.keys():
            return source
        known = [key for key in source if key in target]
        if strict:
            name = _dotted((place, next(key for key in source if key not in target)))
            raise ValueError(f'Module does not have {kind} named "{name}".')
        return known
    if isinstance(source, list) and (isinstance(target, (list, tuple)) or _is_row(target)):
        size = len(target)
        if strict and len(source) > size:
            raise ValueError(
                f"List index {size} is out of bounds for destination of length {size} "
                f"at {_dotted(place)}."
            )
        return range(min(len(source), size))
    if strict and (type(source) is not dict or source):  # an empty one stands for nothing
        raise _wrong_type(source, place)
    return ()


def _update_parameters(target: Any, source: Any, strict: bool, place: _Place | None = None) -> None:
    for key in _keys(target, source, "parameter", strict, place):
        current, given = target[key], source[key]
        if not isinstance(current, mx.array):
            _update_parameters(current, given, strict, (place, key))
        elif strict and not (isinstance(given, mx.array) and not isinstance(target, tuple)):
            raise _wrong_type(given, (place, key))
        elif not isinstance(target, tuple):
            target[key] = given


def _update_modules(target: Any, source: Any, strict: bool, place: _Place | None = None) -> None:
    for key in _keys(target, source, "sub-module", strict, place):
        current, given = target[key], source[key]
        if not (Module.is_module(given) and Module.is_module(current)):
            _update_modules(current, given, strict, (place, key))
        elif not isinstance(target, tuple):
            target[key] = given
        elif strict:
            raise ValueError(f"A module in a tuple cannot be replaced: {_dotted((place, key))}.")


def _named_weights(source: Any) -> list[tuple[str, Any]]:
    if isinstance(source, (str, os.PathLike)):
        loaded = mx.load(source)
        if not isinstance(loaded, dict):
            raise ValueError(f"[load_weights] {os.fspath(source)!r} holds an array without a name.")
        return list(loaded.items())
    return list(source.items()) if isinstance(source, dict) else list(source)


def _check_weights(weights: dict[str, Any], parameters: dict[str, mx.array]) -> None:
    problems = []
    if extra := sorted(weights.keys() - parameters.keys()):
        problems.append(f"Received {len(extra)} parameters not in model: \n" + ",\n".join(extra))
    if missing := sorted(parameters.keys() - weights.keys()):
        problems.append(f"Missing {len(missing)} parameters: \n" + ",\n".join(missing))
    for name, parameter in parameters.items():
        weight = weights.get(name, parameter)
        if not isinstance(weight, mx.array):
            kind = type(weight)
            problems.append(f"Expected mx.array but received {kind} for parameter {name}")
        elif weight.shape != parameter.shape:
            problems.append(
                f"Expected shape {parameter.shape} but received shape {weight.shape} "
                f"for parameter {name}"
            )
    if problems:
        raise ValueError(".\n".join(problems) + ".")
