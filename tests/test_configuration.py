"""Recipes and configurations."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import pytest

from resight.configuration import configure, fingerprint, nearest_name, read_recipe, to_dict
from resight.distillation.config import DistillConfig
from resight.errors import ConfigurationError
from resight.training.config import TrainConfig

RECIPES = Path(__file__).parents[1] / "recipes"


def test_values_fill_a_configuration() -> None:
    config = configure(TrainConfig, {"epochs": 3, "learning_rate": 1})
    assert (config.epochs, config.learning_rate, config.batch_size) == (3, 1.0, 32)
    assert isinstance(config.learning_rate, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "unknown key 'epoch' \\(did you mean 'epochs'\\?\\)"),
        ({"epochs": "3"}, "epochs = '3' is a str; expected int"),
        ({"epochs": True}, "epochs = True is a bool; expected int"),
        ({"flip": 1}, "flip = 1 is a int; expected bool"),
        ({"epochs": 0}, "epochs = 0"),
        ({"epochs": [3]}, r"epochs = \[3\] is a list; expected int"),
        ({"learning_rate": "fast"}, "learning_rate = 'fast' is a str; expected float"),
    ],
)
def test_wrong_values_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        configure(TrainConfig, values)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lists:
    names: tuple[str, ...] = ()
    sizes: tuple[float, ...] | None = None


def test_lists_are_tuples() -> None:
    config = configure(Lists, {"names": ["a", "b"], "sizes": [1, 2.5]})
    assert config == Lists(names=("a", "b"), sizes=(1.0, 2.5))
    assert to_dict(config) == {"names": ["a", "b"], "sizes": [1.0, 2.5]}
    assert configure(Lists, to_dict(config)) == config
    assert configure(Lists, {"sizes": None}) == Lists()
    for wrong, message in (
        ({"names": "a"}, "names = 'a' is a str; expected a list of str"),
        ({"names": ["a", 1]}, "expected a list of str"),
        ({"sizes": ["a"]}, "expected a list of float or none"),
        ({"sizes": [True]}, "expected a list of float or none"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            configure(Lists, wrong)


def test_fingerprints_follow_the_values() -> None:
    one, same, other = TrainConfig(), TrainConfig(epochs=29), TrainConfig(epochs=30)
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)


def test_recipes_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read the recipe"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("epochs = = 3")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        read_recipe(tmp_path / "bad.toml")
    with pytest.raises(ConfigurationError, match="cannot read the recipe"):
        read_recipe(tmp_path)


def test_the_packages_recipes_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "fine-tune/student-160x64.toml"
    own = tomllib.loads((RECIPES / name).read_text())
    assert read_recipe(name) == read_recipe(f"recipes/{name}") == own
    for other in ("recipes/../configuration.py", "recipes/fine-tune/../fine-tune/student-160x64.toml", "fine-tune"):
        with pytest.raises(ConfigurationError, match=f"the package has {name}, market1501/"):
            read_recipe(other)
    (tmp_path / "fine-tune").mkdir()
    (tmp_path / name).write_text("epochs = 2\n")
    assert read_recipe(name) == {"epochs": 2}  # a file of one's own comes first


def test_only_names_that_are_close_are_hinted_at() -> None:
    names = ["student", "student-fast", "resnet-50", "osnet-0.25"]
    hints = {name: nearest_name(name, names) for name in ("studnet", "osnet-025", "net", "runs")}
    assert hints == {"studnet": " (did you mean 'student'?)", "osnet-025": " (did you mean 'osnet-0.25'?)", "net": "", "runs": ""}


@pytest.mark.parametrize("path", sorted(RECIPES.glob("**/*.toml")), ids=lambda path: path.stem)
def test_every_recipe_is_one(path: Path) -> None:
    kind = DistillConfig if {"temperature", "soft_weight"} & read_recipe(path).keys() else TrainConfig
    assert configure(kind, read_recipe(path))


def test_the_papers_recipes_say_what_the_paper_says() -> None:
    # (learning rate, batch, epochs), typed from section 4.3
    expected = {
        "market1501-resnet-50": (0.001, 16, 21),
        "market1501-mobilenet-0.25": (0.01, 32, 29),
        "market1501-mobilenet-0.5": (0.01, 32, 39),
        "market1501-mobilenet-0.75": (0.01, 32, 39),
        "market1501-mobilenet-1.0": (0.01, 32, 39),
        "market1501-distilled-from-resnet-50": (0.02, 32, 39),
        "market1501-distilled-from-mobilenet-1.0": (0.02, 32, 39),
        "dukemtmc-resnet-50": (0.01, 32, 29),
        "dukemtmc-mobilenet-0.25": (0.01, 32, 39),
        "dukemtmc-mobilenet-0.5": (0.005, 16, 39),
        "dukemtmc-mobilenet-0.75": (0.005, 16, 39),
        "dukemtmc-mobilenet-1.0": (0.02, 32, 39),
        "dukemtmc-distilled-from-resnet-50": (0.02, 32, 39),
        "dukemtmc-distilled-from-mobilenet-1.0": (0.02, 32, 39),
    }
    found = {}
    for path in (RECIPES / "ruiz2019").glob("*.toml"):
        recipe = read_recipe(path)
        found[path.stem] = (recipe["learning_rate"], recipe["batch_size"], recipe["epochs"])
        assert (recipe["momentum"], recipe["decay_every"], recipe["decay_factor"]) == (0.9, 20000, 0.1)
    assert found == expected


def test_the_distilled_configuration_is_a_training_configuration() -> None:
    ours = {field.name for field in dataclasses.fields(TrainConfig)}
    assert ours < {field.name for field in dataclasses.fields(DistillConfig)}
