"""Optimizers, learning rate schedules and gradient clipping."""

from mlx.optimizers.adam import Adam as Adam
from mlx.optimizers.adam import AdamW as AdamW
from mlx.optimizers.clipping import clip_grad_norm as clip_grad_norm
from mlx.optimizers.optimizer import Optimizer as Optimizer
from mlx.optimizers.schedulers import cosine_decay as cosine_decay
from mlx.optimizers.schedulers import exponential_decay as exponential_decay
from mlx.optimizers.schedulers import join_schedules as join_schedules
from mlx.optimizers.schedulers import linear_schedule as linear_schedule
from mlx.optimizers.schedulers import step_decay as step_decay
from mlx.optimizers.sgd import SGD as SGD
