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
        *(({name: 0}, f"{name} = 0; expected at least 1") for name in ("batch_size", "epochs", "decay_every", "validate_every")),
        *(({name: -1}, f"{name} = -1; expected at least 0") for name in COUNTS),
        *(
            ({name: value}, f"{name} = {value}; expected at least 0")
            for name in ("hard_weight", "triplet_weight", "triplet_margin")
            for value in (-0.5, math.nan, math.inf)
        ),
        *(
            ({name: value}, f"{name} = {value}; expected 0 or more and less than 1")
            for name in ("average", "erase", "label_smoothing")
            for value in (-0.1, 1.0, math.nan)
        ),
        *(({"learning_rate": value}, f"learning_rate = {value}; expected more than 0") for value in (0.0, math.nan, math.inf)),
        ({"warm_up": 3.0, "epochs": 3}, "warm_up = 3.0 of 3 epochs; expected fewer than all"),
        ({"optimiser": "adamw"}, "optimiser 'adamw'; expected sgd or adam"),
        ({"schedule": "linear"}, "schedule 'linear'; expected step or cosine"),
        ({"precision": "float16"}, "precision 'float16'; expected auto or float32 or bfloat16"),
        ({"triplet_weight": 1.0}, "a triplet loss needs several images of each person in a batch; set images_per_identity to 4"),
        ({"images_per_identity": 5, "batch_size": 32}, "batch_size = 32 is no multiple of images_per_identity = 5"),
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
