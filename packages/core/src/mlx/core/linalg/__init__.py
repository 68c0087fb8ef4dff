"""Linear algebra: ``mx.linalg``.

Matrices are the last two axes; the axes before them are a batch. ``systems`` solves and inverts,
``factor`` factorises, ``spectra`` finds eigenvalues and singular values; ``norms`` and
``least_squares`` are made of these and of public ops; ``standard`` has the names of the array API
standard; ``matrices`` holds what they share.
"""

# ruff: noqa: F403

from .factor import *
from .least_squares import *
from .norms import *
from .spectra import *
from .standard import *
from .systems import *
