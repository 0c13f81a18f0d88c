"""What is said of speed is said of the workers that were there."""

from __future__ import annotations

from clipeval.cluster.timing import SideTiming, Timing


def test_each_side_has_its_own_number_of_workers() -> None:
    timing = Timing(
        {
            "texts": SideTiming(inputs=640, first=64, wall=10.0, forward=16.0),
            "images": SideTiming(inputs=1, wall=10.0, forward=9.0),
        }
    )
    timing.started("texts", workers=2, cores=2)
    timing.started("images", workers=1, cores=2)
    captions, network, picture, _ = timing.told(cpus=1)
    assert captions == "640 captions in 10.0 s: 64.0 a second, 2 workers on 1 machine"
    assert "80 % of 2 workers" in network
    assert picture == "1 picture in 10.0 s: 0.1 a second, 1 worker on 1 machine"
