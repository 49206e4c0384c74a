"""What is chosen when a gallery is made."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from gallery.fakes import ColourModel, make_settings
from resight.errors import ConfigurationError, ModelMismatchError
from resight.gallery import Settings, parse_retention


def test_of_a_model() -> None:
    settings = Settings.for_model("runs/x", ColourModel(), retention=60)
    assert (settings.model, settings.height, settings.width, settings.dimension) == ("runs/x", 16, 8, 16)
    assert (settings.model_sha256, settings.distance, settings.precision) == (ColourModel().sha256, "euclidean", "float32")
    settings.check_model(ColourModel())


def test_another_model_is_refused() -> None:
    settings = make_settings()
    other_size = ColourModel()
    other_size.size = (32, 16)  # type: ignore[assignment]
    other_dimension = ColourModel(dimension=8)
    for model in (ColourModel("others"), other_size, other_dimension):
        with pytest.raises(ModelMismatchError, match=r"is not the model of this gallery, colours .*make another gallery"):
            settings.check_model(model)


def test_models_that_cannot_have_a_gallery() -> None:
    untrained, learned = ColourModel(), ColourModel()
    untrained.sha256 = ""
    learned.distance = lambda queries, gallery: np.zeros((len(queries), len(gallery)))  # type: ignore[assignment]
    with pytest.raises(ConfigurationError, match="untrained"):
        Settings.for_model("m", untrained, retention=None)
    with pytest.raises(ConfigurationError, match=r"learned distance.*use the model it was fitted to"):
        Settings.for_model("m", learned, retention=None, distance="cosine")


def test_options() -> None:
    with pytest.raises(ConfigurationError, match="'manhattan' is unknown; expected euclidean, cosine"):
        make_settings(distance="manhattan")
    with pytest.raises(ConfigurationError, match="'float64' is unknown; expected float32, float16, int8"):
        make_settings(precision="float64")
    with pytest.raises(ConfigurationError, match="-5 seconds"):
        make_settings(retention=-5)
    with pytest.raises(ConfigurationError, match="seconds; expected a positive time of at most 100 years"):
        make_settings(retention=999_999 * 86_400)


def test_retention() -> None:
    assert [parse_retention(text) for text in ("30d", "12h", "90m", "45s")] == [2_592_000, 43_200, 5_400, 45]
    assert parse_retention("unlimited") is None
    for text in ("", "30", "d", "-1d", "1.5d", "forever", "1e3d", "9999999d"):
        with pytest.raises(ConfigurationError, match="for example 30d, 12h, or unlimited"):
            parse_retention(text)
    for text in ("36501d", "999999d"):
        with pytest.raises(ConfigurationError, match=f"retention '{text}'; expected at most 36500d"):
            parse_retention(text)
    assert make_settings(retention=parse_retention("36500d")).expired_before() is not None
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert make_settings(retention=86_400).expired_before(now) == datetime(2026, 3, 1, tzinfo=UTC)
    assert make_settings().expired_before(now) is None
