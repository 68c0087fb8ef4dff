"""The optimizers under the module name that MLX gives them; nothing is defined here."""

from mlx.optimizers.adafactor import Adafactor as Adafactor
from mlx.optimizers.adagrad import AdaDelta as AdaDelta
from mlx.optimizers.adagrad import Adagrad as Adagrad
from mlx.optimizers.adam import Adam as Adam
from mlx.optimizers.adam import Adamax as Adamax
from mlx.optimizers.adam import AdamW as AdamW
from mlx.optimizers.clipping import clip_grad_norm as clip_grad_norm
from mlx.optimizers.lion import Lion as Lion
from mlx.optimizers.multi import MultiOptimizer as MultiOptimizer
from mlx.optimizers.muon import Muon as Muon
from mlx.optimizers.optimizer import Optimizer as Optimizer
from mlx.optimizers.rmsprop import RMSprop as RMSprop
from mlx.optimizers.sgd import SGD as SGD
