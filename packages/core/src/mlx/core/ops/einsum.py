"""Einstein summation: the subscripts, the order of contraction, and its lowering to matmul.

Every contraction of two operands is one matmul of transposed and reshaped operands, or one product
where they share no summed subscript. Nothing here is an op; rules are those of the ops used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from mlx.kernels import array
from mlx.kernels.hints import NamedTuple

from ..op import Shape, fix_shapes, public
from ..stream import StreamOrDevice
from .axes import Numeric, as_array, handle, promoted
from .binary import multiply
from .matmul import matmul
from .reduce import sum
from .shape import expand_dims, flatten, squeeze, transpose, unflatten
from .views import diagonal

# A subscript is a letter, or "...k" for the k-th axis from the end of an ellipsis.
Labels = tuple[str, ...]

# Up to so many operands every order is considered; beyond, the cheapest pair comes first.
_EXHAUSTIVE = 6


class _Equation(NamedTuple):
    """Subscripts with ellipses resolved to axes."""

    text: str
    inputs: list[Labels]
    output: Labels
    sizes: dict[str, int]


def _split(name: str, term: str) -> tuple[str, bool, str]:
    """The letters before an ellipsis, whether there is one, and the letters behind it."""
    head, dots, tail = term.partition("...")
    for letter in head + tail:
        if not (letter.isascii() and letter.isalpha()):
            raise ValueError(f"[{name}] A subscript is '{letter}'; it must be a letter.")
    return head, bool(dots), tail


def _parsed(name: str, subscripts: str, operands: Sequence[Shape]) -> _Equation:
    """The equation of the subscripts for operands of these shapes."""
    if not operands:
        raise ValueError(f"[{name}] There are no operands; at least one is needed.")
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise ValueError(
            f"[{name}] '{subscripts}' has subscripts for {len(terms)} operands, and "
            f"{len(operands)} are given."
        )
    inputs: list[Labels] = []
    sizes: dict[str, int] = {}
    dotted = 0
    for place, (term, operand) in enumerate(zip(terms, operands, strict=True)):
        head, dots, tail = _split(name, term)
        rest = len(operand) - len(head) - len(tail)
        if rest < 0 or (rest and not dots):
            raise ValueError(
                f"[{name}] Operand {place} has {len(operand)} dimensions and the subscripts "
                f"'{term}'; one is needed for each."
            )
        dotted = max(dotted, rest)
        labels = (*head, *(f"...{k}" for k in range(rest, 0, -1)), *tail)
        _note_sizes(name, sizes, labels, operand, place)
        inputs.append(labels)
    ellipsis = tuple(f"...{k}" for k in range(dotted, 0, -1))
    if arrow:
        head, dots, tail = _split(name, right)
        output = (*head, *(ellipsis if dots else ()), *tail)
    else:
        letters = [label for labels in inputs for label in labels if len(label) == 1]
        output = (*ellipsis, *sorted(x for x in set(letters) if letters.count(x) == 1))
    for label in output:
        if output.count(label) > 1:
            raise ValueError(f"[{name}] The output '{right}' has the subscript '{label}' twice.")
        if label not in sizes:
            raise ValueError(f"[{name}] The output's subscript '{label}' is in no operand.")
    return _Equation(text, inputs, output, sizes)


def _note_sizes(
    name: str, sizes: dict[str, int], labels: Labels, operand: Shape, place: int
) -> None:
    """Enters the sizes of an operand's axes; size one broadcasts between operands."""
    own: dict[str, int] = {}
    for label, size in zip(labels, operand, strict=True):
        if own.setdefault(label, size) != size:
            raise ValueError(
                f"[{name}] Subscript '{label}' is repeated in operand {place} of shape "
                f"{operand}, where its axes have the sizes {own[label]} and {size}."
            )
        known = sizes.get(label, 1)
        if size != 1 and known != 1 and size != known:
            raise ValueError(
                f"[{name}] Subscript '{label}' has size {size} in operand {place} of shape "
                f"{operand} and {known} in another operand."
            )
        sizes[label] = size if known == 1 else known


# ---- the order of contraction --------------------------------------------------------------------


class _Plan(NamedTuple):
    """Pairs to contract in turn (the result goes to the end), and what that costs."""

    steps: list[tuple[int, ...]]
    scaling: int
    operations: int


def _volume(labels: frozenset[str], sizes: dict[str, int]) -> int:
    return math.prod(sizes[label] for label in labels)


def _operations(
    labels: frozenset[str], kept: frozenset[str], terms: int, sizes: dict[str, int]
) -> int:
    """Multiplications, and additions where a subscript is summed, over the whole index space."""
    return _volume(labels, sizes) * (max(1, terms - 1) + bool(labels - kept))


def _planned(equation: _Equation) -> _Plan:
    """The cheapest order of contraction."""
    sizes, output = equation.sizes, frozenset(equation.output)
    sets = [frozenset(labels) for labels in equation.inputs]
    if len(sets) == 1:
        return _Plan([(0,)], len(sets[0]), _operations(sets[0], output, 1, sizes))
    if len(sets) <= _EXHAUSTIVE:
        return _by_tree(_cheapest_tree(sets, output, sizes), sets, output, sizes)
    current, steps, scaling, total = list(sets), [], 0, 0
    while len(current) > 1:
        best = None
        for i in range(len(current)):
            for j in range(i + 1, len(current)):
                both = current[i] | current[j]
                kept = _kept(both, [s for k, s in enumerate(current) if k not in (i, j)], output)
                cost = _operations(both, kept, 2, sizes)
                grown = _volume(kept, sizes) - _held((current[i], current[j]), sizes)
                if best is None or (grown, cost) < best[0]:
                    best = ((grown, cost), (i, j), both, kept)
        assert best is not None
        (_, cost), pair, both, kept = best
        current = [s for k, s in enumerate(current) if k not in pair] + [kept]
        steps.append(pair)
        scaling, total = max(scaling, len(both)), total + cost
    return _Plan(steps, scaling, total)


def _held(sets: Sequence[frozenset[str]], sizes: dict[str, int]) -> int:
    """How many elements operands of these subscripts hold together."""
    total = 0
    for labels in sets:
        total += _volume(labels, sizes)
    return total


def _kept(
    labels: frozenset[str], others: Sequence[frozenset[str]], output: frozenset[str]
) -> frozenset[str]:
    """The subscripts that another operand or the output still needs."""
    return labels & output.union(*others)


Tree = int | tuple["Tree", "Tree"]


def _cheapest_tree(
    sets: list[frozenset[str]], output: frozenset[str], sizes: dict[str, int]
) -> Tree:
    """The binary tree of contractions with the fewest operations, over all subsets."""
    n = len(sets)
    whole = (1 << n) - 1

    def members(mask: int) -> list[frozenset[str]]:
        return [sets[i] for i in range(n) if mask >> i & 1]

    kept = {
        mask: _kept(frozenset().union(*members(mask)), members(whole ^ mask), output)
        for mask in range(1, whole + 1)
    }
    best: dict[int, tuple[int, Tree]] = {1 << i: (0, i) for i in range(n)}
    for mask in range(1, whole + 1):  # every part of a mask is a smaller number
        part = (mask - 1) & mask
        while part:
            rest = mask ^ part
            if part < rest:
                labels = (sets[part.bit_length() - 1] if part & (part - 1) == 0 else kept[part]) | (
                    sets[rest.bit_length() - 1] if rest & (rest - 1) == 0 else kept[rest]
                )
                cost = best[part][0] + best[rest][0]
                cost += _operations(labels, kept[mask], 2, sizes)
                if mask not in best or cost < best[mask][0]:
                    best[mask] = (cost, (best[part][1], best[rest][1]))
            part = (part - 1) & mask
    return best[whole][1]


def _by_tree(
    tree: Tree, sets: list[frozenset[str]], output: frozenset[str], sizes: dict[str, int]
) -> _Plan:
    """The pairs of a tree, children first."""
    current: list[tuple[Tree, frozenset[str]]] = list(enumerate(sets))
    steps: list[tuple[int, ...]] = []
    scaling, total = 0, 0

    def contract(node: Tree) -> None:
        nonlocal scaling, total
        if isinstance(node, int):
            return
        contract(node[0])
        contract(node[1])
        pair = sorted(k for k, (known, _) in enumerate(current) if known in node)
        both = current[pair[0]][1] | current[pair[1]][1]
        rest = [entry for k, entry in enumerate(current) if k not in pair]
        kept = _kept(both, [labels for _, labels in rest], output)
        steps.append(tuple(pair))
        scaling, total = max(scaling, len(both)), total + _operations(both, kept, 2, sizes)
        current[:] = [*rest, (node, kept)]

    contract(tree)
    return _Plan(steps, scaling, total)


@lru_cache(maxsize=256)
def _arranged(name: str, subscripts: str, shapes: tuple[Shape, ...]) -> tuple[_Equation, _Plan]:
    """What a call with these subscripts and shapes means; a loop makes the same call again."""
    equation = _parsed(name, subscripts, shapes)
    return equation, _planned(equation)


def _read(name: str, subscripts: str, operands: Sequence[array]) -> tuple[_Equation, _Plan]:
    if not isinstance(subscripts, str):
        raise TypeError(f"[{name}] subscripts is {type(subscripts).__name__}, not a string.")
    return _arranged(name, subscripts, tuple([operand.shape for operand in operands]))


# ---- contraction ---------------------------------------------------------------------------------

Term = tuple[array, Labels]


def _simplified(x: array, labels: Labels, sizes: dict[str, int], stream: StreamOrDevice) -> Term:
    """The operand with each subscript once, and without axes of size one that broadcast."""
    while len(set(labels)) < len(labels):
        label = next(label for label in labels if labels.count(label) > 1)
        first = labels.index(label)
        second = labels.index(label, first + 1)
        x = diagonal(x, 0, first, second, stream=stream)
        labels = (*(k for i, k in enumerate(labels) if i not in (first, second)), label)
    if 1 not in x.shape:
        return x, labels
    fix_shapes()
    ones = [i for i, k in enumerate(labels) if x.shape[i] == 1 and sizes[k] != 1]
    if ones:
        x = squeeze(x, ones, stream=stream)
        labels = tuple(k for i, k in enumerate(labels) if i not in ones)
    return x, labels


class _Arrangement:
    """What brings an operand into the order of some subscripts."""

    def __init__(self, own: Labels, wanted: Labels) -> None:
        left = [label for label in own if label in wanted]
        order = [left.index(label) for label in wanted]
        self.summed = [i for i, label in enumerate(own) if label not in wanted]
        self.order = [] if order == list(range(len(order))) else order

    def of(self, x: array, stream: StreamOrDevice) -> array:
        """A handle of its own on the operand so arranged."""
        if self.summed:
            x = sum(x, self.summed, stream=stream)
        return transpose(x, self.order, stream=stream) if self.order else handle(x)


def _grouped(x: array, counts: Sequence[int], stream: StreamOrDevice) -> array:
    """One axis for each run of so many axes; of size one for none."""
    for group, count in enumerate(counts):
        if count == 0:
            x = expand_dims(x, group, stream=stream)
        elif count > 1:
            x = flatten(x, group, group + count - 1, stream=stream)
    return x


class _Contraction:
    """Operands of these subscripts as one, summed over those that nothing else needs.

    (batch, rows, inner) @ (batch, inner, columns), or a plain product where there is no inner one.
    """

    def __init__(self, a: Labels, b: Labels, needed: frozenset[str]) -> None:
        shared = [label for label in a if label in b]
        batch = [label for label in shared if label in needed]
        inner = [label for label in shared if label not in needed]
        rows = [label for label in a if label not in shared and label in needed]
        columns = [label for label in b if label not in shared and label in needed]
        self.left = _Arrangement(a, (*batch, *rows, *inner))
        self.right = _Arrangement(b, (*batch, *inner, *columns))
        self.batch, self.rows, self.inner = len(batch), len(rows), len(inner)
        self.columns = len(columns)
        self.labels = (*batch, *rows, *columns)

    def of(self, x: array, y: array, stream: StreamOrDevice) -> array:
        """The contracted operands, with the axes of ``labels``."""
        batch, rows, inner, columns = self.batch, self.rows, self.inner, self.columns
        x, y = self.left.of(x, stream), self.right.of(y, stream)
        if not inner:
            if columns:
                x = expand_dims(x, tuple(range(x.ndim, x.ndim + columns)), stream=stream)
            if rows:
                y = expand_dims(y, tuple(range(batch, batch + rows)), stream=stream)
            return multiply(x, y, stream=stream)
        left, right = x.shape, y.shape
        groups = [left[:batch], left[batch : batch + rows], right[batch + inner :]]
        counts = [batch] if batch else []
        product = matmul(
            _grouped(x, [*counts, rows, inner], stream),
            _grouped(y, [*counts, inner, columns], stream),
            stream=stream,
        )
        for axis, sizes in reversed(list(enumerate(groups if batch else groups[1:]))):
            if not sizes:
                product = squeeze(product, axis, stream=stream)
            elif len(sizes) > 1:
                product = unflatten(product, axis, sizes, stream=stream)
        return product


_contraction = lru_cache(maxsize=256)(_Contraction)  # a loop makes the same ones again


def einsum(subscripts: str, *operands: Numeric, stream: StreamOrDevice = None) -> array:
    """Einstein summation: the sum of products over every subscript that the output lacks.

    ``...`` stands for axes that broadcast. A subscript twice in an operand takes its diagonal.
    Without ``->`` the output has the ellipsis, then the subscripts that occur once, sorted. The
    order of contraction is the cheapest one; each contraction of two operands is one ``matmul``.

    Args:
        subscripts: One letter for every axis of every operand, as in "ij,jk->ik".
        *operands: Arrays; axes of size one broadcast.
        stream: Stream or device to run on.

    Returns:
        The shape that the output's subscripts say; the promoted dtype.

    Raises:
        ValueError: If the subscripts do not agree with the operands or with themselves, or the
            operands of a contraction are not inexact.

    Example:
        >>> a = mx.array([[1.0, 2.0], [3.0, 4.0]])
        >>> mx.einsum("ij,jk,k->i", a, a, mx.array([1.0, 1.0]))
        array([17, 37], dtype=float32)
    """
    arrays = [as_array(operand, "einsum") for operand in operands]
    equation, plan = _read("einsum", subscripts, arrays)
    if len(arrays) > 2:  # an early product must not be rounded to less than the result's dtype
        arrays = promoted(arrays, stream)
    sizes, output = equation.sizes, equation.output
    terms = [
        _simplified(x, labels, sizes, stream)
        for x, labels in zip(arrays, equation.inputs, strict=True)
    ]
    last = terms[0]
    for step in plan.steps[: len(terms) - 1]:  # the step of an operand alone is no pair
        rest = [term for k, term in enumerate(terms) if k not in step]
        a, b = terms[step[0]], terms[step[1]]
        if not rest and _leads(b[1], a[1], output):
            a, b = b, a  # the product then has the output's order
        needed = frozenset(output).union(*[labels for _, labels in rest])
        contraction = _contraction(a[1], b[1], needed)
        last = contraction.of(a[0], b[0], stream), contraction.labels
        terms = [*rest, last]
    return _Arrangement(last[1], output).of(last[0], stream)


def _leads(b: Labels, a: Labels, output: Labels) -> bool:
    """Whether the first subscript of the output that one operand has alone is of ``b``."""
    alone = [label for label in output if (label in a) != (label in b)]
    return bool(alone) and alone[0] in b


def einsum_path(subscripts: str, *operands: Numeric) -> tuple[list[tuple[int, ...]], str]:
    """The order in which ``einsum`` contracts its operands, and what that costs.

    Args:
        subscripts: The subscripts of ``einsum``.
        *operands: Arrays; only their shapes matter.

    Returns:
        The pairs of operands to contract in turn (both leave the list, their product goes to its
        end), and a text with the cost of this order and of one sum over all subscripts.

    Raises:
        ValueError: If the subscripts do not agree with the operands or with themselves.

    Example:
        >>> a, b, c = mx.zeros((2, 9)), mx.zeros((9, 9)), mx.zeros((9, 9))
        >>> mx.einsum_path("ij,jk,kl", a, b, c)[0]
        [(0, 1), (0, 1)]
    """
    arrays = [as_array(operand, "einsum_path") for operand in operands]
    equation, plan = _read("einsum_path", subscripts, arrays)
    every = frozenset(equation.sizes)
    naive = _operations(every, frozenset(equation.output), len(arrays), equation.sizes)
    lines = (
        ("Complete contraction", equation.text),
        ("Naive scaling", len(every)),
        ("Optimized scaling", plan.scaling),
        ("Naive FLOP count", naive),
        ("Optimized FLOP count", plan.operations),
    )
    return list(plan.steps), "".join(f"{name:>22}:  {value}\n" for name, value in lines)


__all__ = public(globals())
