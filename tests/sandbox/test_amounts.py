"""Quantities are counted and written as the API does."""

from __future__ import annotations

from decimal import Decimal

import pytest

from deployctl.sandbox.objects.amounts import amount, canonical, millis, rounded, whole, written


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        *(
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("1500", "1500"),
            ("1000", "1k"),
        ),
        *((1, "1"), ("0", "0"), ("100Ki", "100Ki"), ("0.5Ki", "512"), ("1e3", "1e3"), ("2000Ki", "2000Ki")),
        *(("0.1", "100m"), ("-1", "-1"), ("1.5", "1500m")),
    ],
)
def test_a_quantity_is_kept_in_its_shortest_form(sent, kept):
    assert canonical(sent) == kept


def test_a_resource_is_rounded_up_to_thousandths():
    assert rounded("0.0001") == "1m"


def test_quantities_count():
    assert (amount("2Gi"), millis("0.25"), whole("1500m")) == (Decimal(2 * 1024**3), 250, 2)


def test_bytes_are_written_with_binary_suffixes():
    assert written(3 * 1024**2, binary=True) == "3Mi"


def test_what_is_no_quantity_is_told():
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        amount("1x")
