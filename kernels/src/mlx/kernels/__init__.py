"""The Cython face of the kernel library mlxk.

Holds the array class, trees and the calls into the runtime. What an op means, and how it
differentiates, is not known here: see ``mlx.core``.
"""

from mlx.kernels.load import prepare

prepare()
