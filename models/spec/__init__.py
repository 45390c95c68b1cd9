"""The spec of a training run and all that it is made of. Pydantic only: importable without torch.

`models.presets.resolve` makes one from the part that a client sent.
"""

from models.losses import Elbo, Loss
from models.spec.architectures import (
    Architecture,
    DcganArchitecture,
    MlpArchitecture,
    R3ganArchitecture,
    ResnetArchitecture,
    VaeArchitecture,
)
from models.spec.augment import AdaptiveAugment, Augment, DiffAugment, FlipAugment, NoAugment
from models.spec.datasets import BuiltinDataset, BuiltinName
from models.spec.guard import Guard, GuardOff, GuardRepair
from models.spec.optimizers import (
    AdamOptimizer,
    AdamwOptimizer,
    ConstantSchedule,
    CosineSchedule,
    ExtraAdamOptimizer,
    LinearSchedule,
    OptimisticAdamOptimizer,
    Optimizer,
    RmspropOptimizer,
    Schedule,
    SgdOptimizer,
)
from models.spec.penalties import (
    ConsistencyPenalty,
    DraganPenalty,
    GradientPenalty,
    LecamPenalty,
    Penalty,
    R1Penalty,
    R2Penalty,
    WeightClip,
)
from models.spec.plans import Budget, CheckpointPlan, Ema, EvaluationPlan, MetricsPlan
from models.spec.training import TrainingSpec

__all__ = [
    "AdamOptimizer",
    "AdamwOptimizer",
    "AdaptiveAugment",
    "Architecture",
    "Augment",
    "Budget",
    "BuiltinDataset",
    "BuiltinName",
    "CheckpointPlan",
    "ConsistencyPenalty",
    "ConstantSchedule",
    "CosineSchedule",
    "DcganArchitecture",
    "DiffAugment",
    "DraganPenalty",
    "Elbo",
    "Ema",
    "EvaluationPlan",
    "ExtraAdamOptimizer",
    "FlipAugment",
    "GradientPenalty",
    "Guard",
    "GuardOff",
    "GuardRepair",
    "LecamPenalty",
    "LinearSchedule",
    "Loss",
    "MetricsPlan",
    "MlpArchitecture",
    "NoAugment",
    "OptimisticAdamOptimizer",
    "Optimizer",
    "Penalty",
    "R1Penalty",
    "R2Penalty",
    "R3ganArchitecture",
    "ResnetArchitecture",
    "RmspropOptimizer",
    "Schedule",
    "SgdOptimizer",
    "TrainingSpec",
    "VaeArchitecture",
    "WeightClip",
]
