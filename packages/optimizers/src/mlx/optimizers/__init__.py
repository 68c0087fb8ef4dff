"""Optimizers, learning rate schedules and gradient clipping."""

from typing import TYPE_CHECKING

from mlx.optimizers import optimizers as optimizers
from mlx.optimizers import schedulers as schedulers
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
from mlx.optimizers.schedulers import cosine_decay as cosine_decay
from mlx.optimizers.schedulers import exponential_decay as exponential_decay
from mlx.optimizers.schedulers import join_schedules as join_schedules
from mlx.optimizers.schedulers import linear_schedule as linear_schedule
from mlx.optimizers.schedulers import step_decay as step_decay
from mlx.optimizers.sgd import SGD as SGD
from mlx.utils import tree_flatten as tree_flatten
from mlx.utils import tree_map as tree_map
from mlx.utils import tree_merge as tree_merge
from mlx.utils import tree_reduce as tree_reduce
from mlx.utils import tree_unflatten as tree_unflatten

if TYPE_CHECKING:
    from mlx.nn import Module as Module
else:

    def __getattr__(name: str) -> object:
        """A name that another distribution adds, as mlx-nn its ``Module``, by an entry point."""
        from importlib.metadata import entry_points

        for point in entry_points(group=__name__, name=name):
            return point.load()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
