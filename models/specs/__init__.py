"""The spec of a training run and its parts. Needs pydantic only, so it is importable without torch.

`models.presets.resolve` makes a spec from the partial one that a client sent.
"""

from models.specs import methods
from models.specs.architectures import (
    Architecture,
    DcganArchitecture,
    MlpArchitecture,
    R3ganArchitecture,
    ResnetArchitecture,
    VaeArchitecture,
)
from models.specs.augment import AdaptiveAugment, Augment, DiffAugment, FlipAugment, NoAugment
from models.specs.datasets import BuiltinDataset, BuiltinName, Dataset, DatasetFacts, UploadedDataset
from models.specs.guard import Guard, GuardOff, GuardRepair
from models.specs.losses import Elbo, Loss
from models.specs.optimizers import (
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
from models.specs.penalties import (
    ConsistencyPenalty,
    DraganPenalty,
    GradientPenalty,
    LecamPenalty,
    Penalty,
    R1Penalty,
    R2Penalty,
    WeightClip,
)
from models.specs.plans import Budget, CheckpointPlan, Ema, EvaluationPlan, MetricsPlan
from models.specs.training import TrainingSpec

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
    "Dataset",
    "DatasetFacts",
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
    "UploadedDataset",
    "VaeArchitecture",
    "WeightClip",
    "methods",
]
