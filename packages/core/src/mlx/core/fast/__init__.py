"""Functions with a kernel of their own for speed: ``mx.fast``.

Each computes what a few public ops would, in one reading of its input and without the arrays in
between, and has a kernel for its gradient as well. Gradients of gradients go through public ops
(``composition``). ``gated_delta_update`` has no kernel yet: it is made of public ops.
"""

# ruff: noqa: F403

from .attention import *
from .cross_entropy import *
from .custom_kernels import *
from .gated_delta import *
from .norms import *
from .rope import *
