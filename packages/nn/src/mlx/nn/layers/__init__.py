"""Layers, one family a file; this module only gathers their public names."""

from mlx.nn.layers.activations import *  # noqa: F403
from mlx.nn.layers.base import Module as Module
from mlx.nn.layers.containers import Sequential as Sequential
from mlx.nn.layers.dropout import Dropout as Dropout
from mlx.nn.layers.dropout import Dropout2d as Dropout2d
from mlx.nn.layers.dropout import Dropout3d as Dropout3d
from mlx.nn.layers.embedding import Embedding as Embedding
from mlx.nn.layers.linear import Bilinear as Bilinear
from mlx.nn.layers.linear import Identity as Identity
from mlx.nn.layers.linear import Linear as Linear
from mlx.nn.layers.normalization import LayerNorm as LayerNorm
from mlx.nn.layers.normalization import RMSNorm as RMSNorm
