"""How a distillation is configured: in Python, in a recipe, by flags, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from resight.cli import main
from resight.configuration import configure, fingerprint, to_dict
from resight.datasets import Dataset
from resight.distillation.config import AdaptConfig, DistillConfig
from resight.errors import ConfigurationError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": 0.0}, "temperature = 0.0; expected more than 0"),
        ({"temperature": math.nan}, "temperature = nan"),
        ({"temperature": math.inf}, "temperature = inf"),
        ({"temperature": "high"}, "temperature = 'high'; expected a number or auto"),
        ({"temperature": "auto"}, "optimiser is sgd; set optimiser to adam"),
        ({"temperature": "auto", "optimiser": "adam", "soft_weight": 0.0, "embedding_weight": 1.0}, "set soft_weight to 1"),
        ({"targets": "later"}, "targets 'later'; expected cached or online"),
        *(
            ({f"{kind}_weight": value}, f"{kind}_weight = {value}; expected at least 0")
            for kind in ("hard", "soft", "triplet", "embedding", "similarity", "rkd", "attention", "hint", "mutual")
            for value in (-1.0, math.nan, math.inf)
        ),
        ({"hint_weight": 1.0}, "set targets to online"),
        ({"rkd_weight": 1.0, "batch_size": 2}, "batch_size = 2; rkd_weight compares images, expected at least 3"),
        (
            {"teacher": ("A",), "soft_weight": 0.0},
            "a teacher is named and no loss compares the student with it; set soft_weight to 1",
        ),
        ({"peer": "osnet-0.25"}, "peer = 'osnet-0.25' and no loss compares the student with it; set mutual_weight to 1"),
        ({"mutual_weight": 1.0, "peer_weights": "file.pth"}, "peer_weights belong to a peer of another architecture; set peer"),
        ({"copies": -1}, "copies = -1; expected at least 0"),
        ({"neighbours": 3}, "neighbours = 3 are of other cameras; set centre_cameras, or neighbours to 0"),
        ({"unlabelled_share": 0.0}, "unlabelled_share = 0.0; expected more than 0 and less than 1"),
        ({"copies": 1, "soft_weight": 0.0}, "images without an identity need a teacher"),
        ({"unlabelled": ("A",), "batch_size": 16, "unlabelled_share": 0.01}, "leaves 16 of 16 images with an identity"),
        (
            {"copies": 1, "soft_weight": 0.0, "hard_weight": 0.0, "rkd_weight": 1.0, "unlabelled_share": 0.5},
            "unlabelled_share = 0.5, and no loss needs to know who is on an image",
        ),
        ({"copies": 1, "batch_size": 16, "images_per_identity": 8}, "leaves 12 of 16 images with an identity; expected"),
        (
            {"images_per_identity": 4, "hard_weight": 0.0, "soft_weight": 0.0, "embedding_weight": 1.0},
            "images_per_identity = 4, and no loss needs to know who is on an image; set it to 0",
        ),
        ({"hard_weight": 0.0, "soft_weight": 0.0}, "every loss has weight 0; set one of hard_weight, triplet_weight, soft_weight"),
    ],
)
def test_what_cannot_be_is_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        DistillConfig(**values)  # type: ignore[arg-type]
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *(("learning_rate", value, "more than 0") for value in (0.0, -0.1, math.nan, math.inf)),
        ("learning_rate", 1001.0, "at most 1000"),
        ("batch_size", 1, "at least 2"),
        *((name, -1, "at least 0") for name in ("epochs", "copies", "neighbours", "seed")),
        ("seed", 2**63, f"at most {2**63 - 1}"),
        *(("held_out", value, "more than 0 and at most 0.5") for value in (0.0, 0.9, math.nan)),
    ],
)
def test_an_adaptation_has_the_bounds_of_a_distillation(name: str, value: float, expected: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        AdaptConfig(**{name: value})  # type: ignore[arg-type]
    assert str(error.value) == f"{name} = {value}; expected {expected}"
    assert AdaptConfig(batch_size=2, epochs=0, copies=0, neighbours=0, seed=2**63 - 1)


@pytest.mark.parametrize("kind", ["soft", "embedding", "similarity", "rkd", "attention", "hint"])
def test_what_needs_a_teacher(kind: str) -> None:
    nothing = {"soft_weight": 0.0, "mutual_weight": 1.0, "targets": "online"}
    assert not DistillConfig(**nothing).needs_teacher  # type: ignore[arg-type]
    assert DistillConfig(**(nothing | {f"{kind}_weight": 0.5})).needs_teacher  # type: ignore[arg-type]


def test_teachers_are_a_list_in_recipes_and_json() -> None:
    config = configure(DistillConfig, {"teacher": ["a", "b"]})
    assert config == DistillConfig(teacher=("a", "b"))
    assert to_dict(config)["teacher"] == ["a", "b"]
    assert configure(DistillConfig, to_dict(config)) == config
    assert fingerprint(config) != fingerprint(DistillConfig(teacher=("b", "a")))
    with pytest.raises(ConfigurationError, match=r"mine: teacher = 'a' is a str; expected a list of str"):
        configure(DistillConfig, {"teacher": "a"}, source="mine")
    with pytest.raises(ConfigurationError, match=r"teacher = \['a', 3\] is a list; expected a list of str"):
        configure(DistillConfig, {"teacher": ["a", 3]})


@pytest.mark.parametrize(
    ("recipe", "flags", "expected"),
    [
        ("", ["--teacher", "A", "--teacher", "B"], ("A", "B")),
        ("", ["--teacher", "A", "B"], ("A", "B")),
        ("", ["--teacher", "A"], ("A",)),
        ('teacher = ["C", "D"]', [], ("C", "D")),
        ('teacher = ["C", "D"]', ["--teacher", "A"], ("A",)),  # a flag overrides the recipe
    ],
)
def test_several_teachers_by_flags_and_recipes(
    recipe: str, flags: list[str], expected: tuple[str, ...], tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[DistillConfig] = []

    def distill(data: Dataset, out: Path, config: DistillConfig, **options: object) -> Path:
        found.append(config)
        raise ConfigurationError("far enough")

    monkeypatch.setattr("resight.distillation.distill.distill", distill)
    (tmp_path / "recipe.toml").write_text(recipe + "\nrkd_weight = 2\n")
    arguments = ["distill", "--data", str(tiny), "--out", str(tmp_path / "run"), "--recipe", str(tmp_path / "recipe.toml")]
    assert main([*arguments, *flags, "--soft-weight", "0.5"]) == 2
    assert found == [DistillConfig(teacher=expected, soft_weight=0.5, rkd_weight=2.0)]
