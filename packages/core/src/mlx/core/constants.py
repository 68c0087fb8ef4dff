"""Numbers that programs name."""

from __future__ import annotations

import math

e = math.e
euler_gamma = 0.5772156649015329  # OEIS A001620
inf = math.inf
nan = math.nan
newaxis = None
pi = math.pi
