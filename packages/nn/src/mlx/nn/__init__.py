"""Neural network layers, losses and initialisers."""

from mlx.nn import init as init
from mlx.nn import losses as losses
from mlx.nn.inspection import summary as summary
from mlx.nn.layers import *  # noqa: F403
from mlx.nn.utils import average_gradients as average_gradients
from mlx.nn.utils import value_and_grad as value_and_grad
