"""Layers, one family a file; this module only gathers their public names."""

from mlx.nn.layers.activations import *  # noqa: F403
from mlx.nn.layers.base import Module as Module
from mlx.nn.layers.containers import Sequential as Sequential
from mlx.nn.layers.convolution import Conv1d as Conv1d
from mlx.nn.layers.convolution import Conv2d as Conv2d
from mlx.nn.layers.convolution import Conv3d as Conv3d
from mlx.nn.layers.convolution_transpose import ConvTranspose1d as ConvTranspose1d
from mlx.nn.layers.convolution_transpose import ConvTranspose2d as ConvTranspose2d
from mlx.nn.layers.convolution_transpose import ConvTranspose3d as ConvTranspose3d
from mlx.nn.layers.dropout import Dropout as Dropout
from mlx.nn.layers.dropout import Dropout2d as Dropout2d
from mlx.nn.layers.dropout import Dropout3d as Dropout3d
from mlx.nn.layers.embedding import Embedding as Embedding
from mlx.nn.layers.linear import Bilinear as Bilinear
from mlx.nn.layers.linear import Identity as Identity
from mlx.nn.layers.linear import Linear as Linear
from mlx.nn.layers.normalization import BatchNorm as BatchNorm
from mlx.nn.layers.normalization import GroupNorm as GroupNorm
from mlx.nn.layers.normalization import InstanceNorm as InstanceNorm
from mlx.nn.layers.normalization import LayerNorm as LayerNorm
from mlx.nn.layers.normalization import RMSNorm as RMSNorm
from mlx.nn.layers.pooling import AvgPool1d as AvgPool1d
from mlx.nn.layers.pooling import AvgPool2d as AvgPool2d
from mlx.nn.layers.pooling import AvgPool3d as AvgPool3d
from mlx.nn.layers.pooling import MaxPool1d as MaxPool1d
from mlx.nn.layers.pooling import MaxPool2d as MaxPool2d
from mlx.nn.layers.pooling import MaxPool3d as MaxPool3d
from mlx.nn.layers.positional_encoding import ALiBi as ALiBi
from mlx.nn.layers.positional_encoding import RoPE as RoPE
from mlx.nn.layers.positional_encoding import (
    SinusoidalPositionalEncoding as SinusoidalPositionalEncoding,
)
from mlx.nn.layers.recurrent import GRU as GRU
from mlx.nn.layers.recurrent import LSTM as LSTM
from mlx.nn.layers.recurrent import RNN as RNN
from mlx.nn.layers.transformer import MultiHeadAttention as MultiHeadAttention
from mlx.nn.layers.transformer import Transformer as Transformer
from mlx.nn.layers.transformer import TransformerDecoder as TransformerDecoder
from mlx.nn.layers.transformer import TransformerDecoderLayer as TransformerDecoderLayer
from mlx.nn.layers.transformer import TransformerEncoder as TransformerEncoder
from mlx.nn.layers.transformer import TransformerEncoderLayer as TransformerEncoderLayer
from mlx.nn.layers.upsample import Upsample as Upsample
