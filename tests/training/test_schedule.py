"""The learning rate over a training."""

import pytest
import torch

from pix2color.config.schema import ScheduleConfig
from pix2color.errors import ConfigError
from pix2color.training.schedule import Schedule


def test_warm_up_then_half_a_cosine():
    schedule = Schedule(ScheduleConfig(name="cosine", warmup_steps=9))
    assert [schedule.factor(0.0, s) for s in (0, 4, 9, 50)] == [0.1, 0.5, 1.0, 1.0]
    assert schedule.factor(0.5, 50) == pytest.approx(0.5)
    assert schedule.factor(1.0, 50) == pytest.approx(0)


def test_constant_is_level():
    assert Schedule(ScheduleConfig(name="constant", warmup_steps=0)).factor(0.9, 0) == 1


@pytest.mark.parametrize("options", [{}, {"pct_start": 0.25, "div_factor": 10}])
def test_onecycle_is_torchs(options):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    torchs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=1001, **options)
    ours = Schedule(ScheduleConfig(name="onecycle", warmup_steps=0, options=options))
    rates = []
    for _ in range(1000):
        rates.append(torchs.get_last_lr()[0])
        optimizer.step()
        torchs.step()
    factors = [ours.factor(step / 1000, step) for step in range(1000)]
    assert factors == pytest.approx(rates, abs=0.01)  # torch's peak is a step earlier
    assert max(factors) == pytest.approx(1, abs=1e-4)


def test_plateau_lowers_the_rate_and_remembers():
    config = ScheduleConfig(name="plateau", warmup_steps=0, options={"patience": 1})
    schedule = Schedule(config)
    rates = []
    for loss in (3.0, 2.0, 2.5, 2.4, 1.0):
        schedule.judged(loss)
        rates.append(schedule.factor(0.5, 10))
    assert rates == pytest.approx([1, 1, 1, 0.1, 0.1])
    other = Schedule(config)
    other.load_state_dict(schedule.state_dict())
    for loss in (1.1, 1.2):
        other.judged(loss)
    assert other.factor(0.9, 99) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("cosine", {"patience": 1}, "it has none"),
        ("onecycle", {"max_lr": 1}, "pct_start"),
        ("plateau", {"patients": 1}, "patience"),
        ("plateau", {"factor": 2.0}, "schedule.options"),
        ("onecycle", {"div_factor": 0}, "do not fit"),
        ("onecycle", {"pct_start": "30%"}, "do not fit"),
    ],
)
def test_options_that_do_not_fit(name, options, told):
    with pytest.raises(ConfigError, match=told):
        Schedule(ScheduleConfig(name=name, options=options))
