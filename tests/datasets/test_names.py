"""Names, cameras and times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from resight.datasets.names import alike, camera_name, in_ascii, nfc
from resight.datasets.times import TimeUnit, parse_time
from resight.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("2026-03-01T12:30:00+01:00", "iso", datetime(2026, 3, 1, 11, 30, tzinfo=UTC)),
        ("2026-03-01 12:30", "iso", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01T12:30:00.250Z", "iso", datetime(2026, 3, 1, 12, 30, 0, 250_000, tzinfo=UTC)),
        ("2026-03-01T12:30:00,250Z", "iso", datetime(2026, 3, 1, 12, 30, 0, 250_000, tzinfo=UTC)),
        ("20260301T123000Z", "iso", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        (" 2026-03-01 ", "iso", datetime(2026, 3, 1, tzinfo=UTC)),
        ("1772353800", "s", datetime(2026, 3, 1, 8, 30, tzinfo=UTC)),
        ("1772353800.5", "s", datetime(2026, 3, 1, 8, 30, 0, 500_000, tzinfo=UTC)),
        ("1772353800001", "ms", datetime(2026, 3, 1, 8, 30, 0, 1000, tzinfo=UTC)),
    ],
)
def test_times(text: str, unit: TimeUnit, expected: datetime) -> None:
    assert parse_time(text, unit) == expected


@pytest.mark.parametrize(
    "text", ["", "noon", "1772353800", "20260301", "2026-W09-1", "01.03.2026", "2026-13-01", "2026-03-01T25:00", "12:30"]
)
def test_what_is_not_iso_8601(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a time; expected ISO 8601"):
        parse_time(text)


@pytest.mark.parametrize(
    ("text", "unit"), [("1970-01-01", "iso"), ("1989-12-31T23:59:59", "iso"), ("0", "s"), ("1772353800", "ms")]
)
def test_no_year_before_1990(text: str, unit: TimeUnit) -> None:
    with pytest.raises(ConfigurationError, match="before 1990; check the unit"):
        parse_time(text, unit)


@pytest.mark.parametrize("text", ["-1", "1e9", "2026-03-01", "9" * 15])
def test_numbers_that_are_no_seconds(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a time; expected seconds since 1970"):
        parse_time(text, "s")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rtsp://10.0.0.2/s1", "rtsp://10.0.0.2/s1"),
        ("rtsp://admin:s3cret@10.0.0.2:554/s1?channel=1&password=s3cret&user=admin", "rtsp://10.0.0.2:554/s1?channel=1"),
        ("http://u:p@ss@host/x?token=s3cret", "http://host/x"),
        ("rtsp://anna:s3?cret@10.0.0.2/s1?channel=1", "rtsp://10.0.0.2/s1?channel=1"),
        ("rtsp://anna:s3/cr?et@10.0.0.2/s1", "rtsp://10.0.0.2/s1"),
        ("ann@home", "ann@home"),
    ],
)
def test_a_camera_keeps_no_password(name: str, expected: str) -> None:
    assert camera_name(name) == expected


def test_numbers_are_alike_to_the_last_digit() -> None:
    long = ["20260301120000100", "20260301120000101", "9" * 5000]
    assert alike([*long, "020260301120000100", "-0", "0,00", "1.5"]) == [["-0", "0,00"], ["020260301120000100", long[0]]]


def test_equal_names_compare_equal() -> None:
    assert nfc("Jose\u0301 Mun\u0303oz") == nfc("José Muñoz") == "José Muñoz"


@pytest.mark.parametrize(
    ("name", "expected"), [("Jose\u0301 Muñoz", "Jose Munoz"), ("张 1", "<5F20> 1"), ("Ødegård ß", "<D8>degard <DF>"), ("", "")]
)
def test_names_that_a_simple_font_can_draw(name: str, expected: str) -> None:
    assert in_ascii(name) == expected
