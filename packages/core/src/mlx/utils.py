"""Trees: nested dicts, lists, tuples and registered containers, and functions over their leaves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from mlx import kernels
from mlx.kernels.hints import Any, TypeVar, overload

_array = kernels.array

T = TypeVar("T")
Leaf = Callable[[Any], bool]


def register_container(
    kind: type[T],
    flatten: Callable[[T], tuple[Sequence[Any], Any]],
    unflatten: Callable[[Any, Sequence[Any]], T],
) -> None:
    """Makes a class a container in trees: for all transforms, ``eval`` and the functions here.

    Args:
        kind: The class; its subclasses are not included.
        flatten: From an instance to its children and what else describes it, which must be hashable
            and is part of the key of compiled functions.
        unflatten: From that and other children to an instance.

    Raises:
        ValueError: If the class is a container already.

    Example:
        >>> class Point:
        ...     def __init__(self, x, y):
        ...         self.x, self.y = x, y
        >>> register_container(Point, lambda p: ((p.x, p.y), None), lambda _, xy: Point(*xy))
        >>> slope = mx.grad(lambda p: p.x * p.y)(Point(mx.array(2.0), mx.array(3.0)))
        >>> slope.x, slope.y
        (array(3, dtype=float32), array(2, dtype=float32))
    """
    kernels.register_container(kind, flatten, unflatten)


def tree_map(fn: Callable[..., Any], tree: Any, *rest: Any, is_leaf: Leaf | None = None) -> Any:
    """Applies a function to all leaves of a tree.

    Args:
        fn: The function of a leaf, and of the parts of the other trees at its place.
        tree: The tree: dicts, lists, tuples and registered containers; everything else is a leaf.
        *rest: Trees of which ``tree`` is a prefix.
        is_leaf: Whether a part counts as a leaf though it is a container.

    Returns:
        A tree of the same structure.

    Example:
        >>> tree_map(lambda x: x + 1, {"a": 1, "b": [2, 3]})
        {'a': 2, 'b': [3, 4]}
    """
    if is_leaf is not None and is_leaf(tree):
        return fn(tree, *rest)
    if isinstance(tree, (list, tuple)):
        return _same_sequence(
            tree,
            [
                tree_map(fn, child, *(other[i] for other in rest), is_leaf=is_leaf)
                for i, child in enumerate(tree)
            ],
        )
    if isinstance(tree, dict):
        return {
            key: tree_map(fn, child, *(other[key] for other in rest), is_leaf=is_leaf)
            for key, child in tree.items()
        }
    if opened := kernels.open_container(tree):
        children, rebuild = opened
        others = [_opened(other) for other in rest]
        return rebuild(
            [
                tree_map(fn, child, *(other[i] for other in others), is_leaf=is_leaf)
                for i, child in enumerate(children)
            ]
        )
    return fn(tree, *rest)


def tree_map_with_path(
    fn: Callable[..., Any],
    tree: Any,
    *rest: Any,
    is_leaf: Leaf | None = None,
    path: str | None = None,
) -> Any:
    """Applies a function to all leaves of a tree and their paths.

    Args:
        fn: The function of a path (keys joined by dots), a leaf, and the parts of the other trees.
        tree: The tree.
        *rest: Trees of which ``tree`` is a prefix.
        is_leaf: Whether a part counts as a leaf though it is a container.
        path: The path of the tree itself.

    Returns:
        A tree of the same structure.

    Example:
        >>> tree_map_with_path(lambda path, x: path, {"a": [1, 2]})
        {'a': ['a.0', 'a.1']}
    """
    if is_leaf is not None and is_leaf(tree):
        return fn(path, tree, *rest)
    prefix = f"{path}." if path else ""
    if isinstance(tree, (list, tuple)):
        return _same_sequence(
            tree,
            [
                tree_map_with_path(
                    fn, child, *(r[i] for r in rest), is_leaf=is_leaf, path=f"{prefix}{i}"
                )
                for i, child in enumerate(tree)
            ],
        )
    if isinstance(tree, dict):
        return {
            key: tree_map_with_path(
                fn, child, *(r[key] for r in rest), is_leaf=is_leaf, path=f"{prefix}{key}"
            )
            for key, child in tree.items()
        }
    if opened := kernels.open_container(tree):
        children, rebuild = opened
        others = [_opened(other) for other in rest]
        return rebuild(
            [
                tree_map_with_path(
                    fn, child, *(o[i] for o in others), is_leaf=is_leaf, path=f"{prefix}{i}"
                )
                for i, child in enumerate(children)
            ]
        )
    return fn(path, tree, *rest)


@overload
def tree_flatten(
    tree: Any,
    prefix: str = "",
    is_leaf: Leaf | None = None,
    destination: list[tuple[str, Any]] | None = None,
) -> list[tuple[str, Any]]: ...


@overload
def tree_flatten(
    tree: Any, prefix: str = "", is_leaf: Leaf | None = None, *, destination: dict[str, Any]
) -> dict[str, Any]: ...


@overload
def tree_flatten(
    tree: Any, prefix: str, is_leaf: Leaf | None, destination: dict[str, Any]
) -> dict[str, Any]: ...


def tree_flatten(
    tree: Any,
    prefix: str = "",
    is_leaf: Leaf | None = None,
    destination: list[tuple[str, Any]] | dict[str, Any] | None = None,
) -> list[tuple[str, Any]] | dict[str, Any]:
    """The leaves of a tree with their paths.

    Args:
        tree: The tree: dicts, lists, tuples and registered containers; everything else is a leaf.
        prefix: What paths begin with, with a dot at its front.
        is_leaf: Whether a part counts as a leaf though it is a container.
        destination: A list or dict to add to; None is a new list.

    Returns:
        The destination: ``(path, leaf)`` pairs, or a dict of them.

    Raises:
        ValueError: If the destination is neither a list nor a dict.

    Example:
        >>> tree_flatten({"a": [1, {"b": 2}]})
        [('a.0', 1), ('a.1.b', 2)]
    """
    if destination is None:
        destination = []
    if not isinstance(destination, (list, dict)):
        raise ValueError(
            f"[tree_flatten] The destination is {type(destination).__name__}, not a list or a dict."
        )
    if isinstance(destination, list):
        _add_leaves(tree, prefix, is_leaf, destination)
    else:
        pairs: list[tuple[str, Any]] = []
        _add_leaves(tree, prefix, is_leaf, pairs)
        destination.update(pairs)
    return destination


def _add_leaves(tree: Any, prefix: str, is_leaf: Leaf | None, pairs: list[tuple[str, Any]]) -> None:
    """Appends the leaves of a tree and their paths."""
    children: Iterable[tuple[Any, Any]]
    if is_leaf is not None and is_leaf(tree):
        children = ()
        pairs.append((prefix[1:], tree))
    elif isinstance(tree, dict):
        children = tree.items()
    elif isinstance(tree, (list, tuple)):
        children = enumerate(tree)
    elif opened := kernels.open_container(tree):
        children = enumerate(opened[0])
    else:
        children = ()
        pairs.append((prefix[1:], tree))
    for key, child in children:
        if type(child) is _array and is_leaf is None:  # nearly always
            pairs.append((f"{prefix}.{key}"[1:], child))
        else:
            _add_leaves(child, f"{prefix}.{key}", is_leaf, pairs)


def tree_unflatten(tree: Sequence[tuple[str, Any]] | dict[str, Any]) -> Any:
    """The tree of leaves with paths; keys that count from zero make a list.

    Args:
        tree: ``(path, leaf)`` pairs, or a dict of them.

    Returns:
        The tree.

    Example:
        >>> tree_unflatten([("a.0", 1), ("a.1.b", 2)])
        {'a': [1, {'b': 2}]}
    """
    items = list(tree.items()) if isinstance(tree, dict) else list(tree)
    if not items:
        return []
    if len(items) == 1 and items[0][0] == "":
        return items[0][1]
    children: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for path, leaf in items:
        key, _, rest = path.partition(".")
        children[key].append((rest, leaf))
    if children and all(key.isdecimal() for key in children):
        numbered = {int(key): part for key, part in children.items()}
        # A gap, left by leaves that were not given, becomes an empty dict.
        return [
            tree_unflatten(numbered[i]) if i in numbered else {} for i in range(max(numbered) + 1)
        ]
    return {key: tree_unflatten(part) for key, part in children.items()}


def tree_reduce(
    fn: Callable[[Any, Any], Any],
    tree: Any,
    initializer: Any = None,
    is_leaf: Leaf | None = None,
) -> Any:
    """Folds a function over the leaves of a tree.

    Args:
        fn: The function of the result so far and a leaf.
        tree: The tree.
        initializer: The first result; None is the first leaf.
        is_leaf: Whether a part counts as a leaf though it is a container.

    Returns:
        The last result.

    Example:
        >>> tree_reduce(lambda total, x: total + x, {"a": [1, 2], "b": 3})
        6
    """
    if is_leaf is None or not is_leaf(tree):
        children = None
        if isinstance(tree, (list, tuple)):
            children = tree
        elif isinstance(tree, dict):
            children = tree.values()
        elif opened := kernels.open_container(tree):
            children = opened[0]
        if children is not None:
            for child in children:
                initializer = tree_reduce(fn, child, initializer, is_leaf)
            return initializer
    return tree if initializer is None else fn(initializer, tree)


def tree_merge(tree_a: Any, tree_b: Any, merge_fn: Callable[[Any, Any], Any] | None = None) -> Any:
    """One tree from two that complete each other.

    Args:
        tree_a: A tree; None, and empty dicts and lists, stand for nothing.
        tree_b: The other.
        merge_fn: The function of two leaves at one place; without it that is an error.

    Returns:
        The tree with the leaves of both.

    Raises:
        ValueError: If both have a leaf at one place and there is no ``merge_fn``.

    Example:
        >>> tree_merge({"a": 1, "b": [2]}, {"b": [None, 3], "c": 4}, max)
        {'a': 1, 'b': [2, 3], 'c': 4}
    """
    if _nothing(tree_a):
        return tree_b
    if _nothing(tree_b):
        return tree_a
    if isinstance(tree_a, (list, tuple)) and isinstance(tree_b, (list, tuple)):
        longest = max(len(tree_a), len(tree_b))
        merged = [
            tree_merge(
                tree_a[i] if i < len(tree_a) else None,
                tree_b[i] if i < len(tree_b) else None,
                merge_fn,
            )
            for i in range(longest)
        ]
        return _same_sequence(tree_a, merged)
    if isinstance(tree_a, dict) and isinstance(tree_b, dict):
        keys = [*tree_a, *(key for key in tree_b if key not in tree_a)]
        return {key: tree_merge(tree_a.get(key), tree_b.get(key), merge_fn) for key in keys}
    if type(tree_a) is type(tree_b) and (opened := kernels.open_container(tree_a)):
        children, rebuild = opened
        pairs = zip(children, _opened(tree_b), strict=True)
        return rebuild([tree_merge(a, b, merge_fn) for a, b in pairs])
    if merge_fn is None:
        raise ValueError(
            f"[tree_merge] Both trees have a leaf at one place: {type(tree_a).__name__} and "
            f"{type(tree_b).__name__}; give a merge_fn."
        )
    return merge_fn(tree_a, tree_b)


def _nothing(part: Any) -> bool:
    return part is None or (isinstance(part, (dict, list, tuple)) and not part)


def _opened(tree: Any) -> list[Any]:
    """The children of a registered container."""
    opened = kernels.open_container(tree)
    if opened is None:
        raise ValueError(f"[tree_map] {type(tree).__name__} stands where the tree has a container.")
    return opened[0]


def _same_sequence(like: Sequence[Any], items: list[Any]) -> Any:
    """A sequence of the items, of the same class."""
    kind: Any = type(like)
    if kind is list:
        return items
    return kind(*items) if hasattr(kind, "_fields") else kind(items)


# ---- for the clipping of gradients in mlx.nn and mlx.optimizers --------------------------------


def _squares(tree: Any) -> Any:
    """The sum of all squares; 0.0 of none. A square of float16 is infinite from 256 on."""

    def added(total: Any, x: Any) -> Any:
        wide = x.astype(kernels.float32) if x.dtype == kernels.float16 else x
        return total + wide.square().sum()

    return tree_reduce(added, tree, 0.0)


def _scaled(tree: Any, scale: Any) -> Any:
    """The leaves times a float32 number; 16-bit floats stay what they are."""
    halves = (kernels.float16, kernels.bfloat16)

    def scaled(x: Any) -> Any:
        return (x * scale).astype(x.dtype) if x.dtype in halves else x * scale

    return tree_map(scaled, tree)
