"""What a training's configuration refuses, in one line that names the field."""

from __future__ import annotations

import math

import pytest

from resight.errors import ConfigurationError
from resight.training.config import TrainConfig

COUNTS = ("height", "width", "momentum", "weight_decay", "seed", "held_out_seed", "images_per_identity", "warm_up", "pad")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        *(({name: 0}, f"{name} = 0; expected at least 1") for name in ("epochs", "decay_every", "validate_every")),
        ({"batch_size": 1}, "batch_size = 1; expected at least 2"),
        *(({name: -1}, f"{name} = -1; expected at least 0") for name in COUNTS),
        *(
            ({name: value}, f"{name} = {value}; expected at least 0")
            for name in ("hard_weight", "triplet_weight", "triplet_margin", "decay_factor")
            for value in (-0.5, math.nan, math.inf)
        ),
        *(
            ({name: value}, f"{name} = {value}; expected 0 or more and less than 1")
            for name in ("average", "erase", "label_smoothing")
            for value in (-0.1, 1.0, math.nan)
        ),
        *(({"learning_rate": value}, f"learning_rate = {value}; expected more than 0") for value in (0.0, math.nan, math.inf)),
        *(({name: 1e300}, f"{name} = 1e+300; expected at most 1000") for name in ("learning_rate", "weight_decay")),
        ({"decay_factor": 10.0}, "decay_factor = 10.0; expected at most 1"),
        ({"seed": 2**63}, f"seed = {2**63}; expected at most {2**63 - 1}"),
        *(
            ({"held_out": value}, f"held_out = {value}; expected more than 0 and less than 1, or validation none")
            for value in (-0.1, 0.0, 1.0, math.nan)
        ),
        ({"warm_up": 3.0, "epochs": 3}, "warm_up = 3.0 of 3 epochs; expected fewer than all"),
        ({"optimiser": "adamw"}, "optimiser 'adamw'; expected sgd or adam"),
        ({"schedule": "linear"}, "schedule 'linear'; expected step or cosine"),
        ({"precision": "float16"}, "precision 'float16'; expected auto or float32 or bfloat16"),
        ({"triplet_weight": 1.0}, "a triplet loss needs several images of each person in a batch; set images_per_identity to 4"),
        ({"images_per_identity": 5, "batch_size": 32}, "batch_size = 32 is not a multiple of images_per_identity = 5"),
        ({"hard_weight": 0.0}, "every loss has weight 0; set one of hard_weight, triplet_weight"),
    ],
)
def test_what_cannot_be_is_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        TrainConfig(**values)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_what_can_be() -> None:
    assert TrainConfig(hard_weight=0.0, triplet_weight=1.0, images_per_identity=4)
    assert TrainConfig(warm_up=0.0, epochs=1)
    assert TrainConfig(validation="none", held_out=0.0, seed=2**63 - 1, decay_factor=1.0)
    with pytest.raises(ConfigurationError, match="held_out = nan"):
        TrainConfig(validation="none", held_out=math.nan)
