"""What of an address may be seen, and what never."""

from __future__ import annotations

import pytest

from clipeval.baseline.data_path import data_as_stored
from clipeval.data.address import is_address, needs_network, secrets, shown


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ("s3://bucket/photos", "s3://bucket/photos"),
        ("s3://AKIA:se+cret@bucket/photos", "s3://bucket/photos"),
        ("s3://AKIA:se/cr/et@bucket/a@2x", "s3://bucket/a@2x"),
        ("s3://AKIA:9/cret@bucket", "s3://bucket"),
        ("s3://bucket/a@2x.jpg", "s3://bucket/a@2x.jpg"),
        ("s3://bucket/val-?.tar", "s3://bucket/val-?.tar"),
        ("s3://bucket/x?X-Amz-Signature=abcdef", "s3://bucket/x"),
        ("https://token@host/x", "https://host/x"),
        ("https://me:pass@host:8080/a@2x.jpg?sig=x#token", "https://host:8080/a@2x.jpg"),
        (
            "abfs://container@account.dfs.core.windows.net/x",
            "abfs://container@account.dfs.core.windows.net/x",
        ),
        ("abfs://name:key@account/x", "abfs://account/x"),
        ("zip://a.csv::https://me:pass@host/a.zip?sig=x", "zip://a.csv::https://host/a.zip"),
        ("photos/a:b@c?d=e", "photos/a:b@c?d=e"),
    ],
)
def test_credentials_are_not_shown(address: str, seen: str) -> None:
    assert shown(address) == seen
    assert shown(seen) == seen
    for secret in secrets(address) if is_address(address) else ():
        assert secret not in seen


def test_a_baseline_keeps_the_address_without_its_credentials(tmp_path) -> None:
    stored = data_as_stored("https://me:pass@host/a.parquet?sig=x", file=tmp_path / "clip.json")
    assert stored == "https://host/a.parquet"


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("s3://b/x", True),
        ("zip://a::https://h/a.zip", True),
        ("zip://a::file:///a.zip", False),
        ("memory://x", False),
        ("file:///x", False),
        ("x", False),
    ],
)
def test_what_needs_a_network_is_known_by_its_last_part(text: str, closed: bool) -> None:
    assert needs_network(text) is closed
