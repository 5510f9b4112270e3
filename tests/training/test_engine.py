import copy
import math
import platform
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from skimage import data
from torch import nn
from torch._dynamo.utils import counters

from pix2color.color.lab import rgb_to_l_ab
from pix2color.config.load import load_recipe
from pix2color.config.schema import EngineConfig, GanRecipe, PretrainRecipe, ScheduleConfig
from pix2color.data.batches import Batch
from pix2color.models.registry import build_discriminator, build_generator
from pix2color.training.adversarial import AdversarialTask, band_limited
from pix2color.training.ema import ExponentialMovingAverage
from pix2color.training.engine import Budget, Engine, make_accelerator
from pix2color.training.regression import RegressionTask
from pix2color.training.tasks import build_task

STEADY = ScheduleConfig(name="constant", warmup_steps=0)


def photos() -> Batch:
    crops = [data.astronaut()[y : y + 64, 200:264].transpose(2, 0, 1).copy() for y in (0, 64)]
    return Batch(torch.from_numpy(np.stack(crops)))


def pixels(count: int = 2, seed: int = 0) -> Batch:
    random = torch.Generator().manual_seed(seed)
    return Batch(torch.randint(0, 256, (count, 3, 64, 64), dtype=torch.uint8, generator=random))


def regression(**config) -> Engine:
    torch.manual_seed(0)
    generator = build_generator("unet-resnet18")
    optimizer = torch.optim.SGD(generator.parameters(), lr=0.1)
    task = RegressionTask(generator, optimizer, PretrainRecipe())
    config = EngineConfig(**{"schedule": STEADY, "ema": None, **config})
    return Engine(task, make_accelerator("cpu", "float32"), Budget(steps=10), config)


def adversarial(*settings: str) -> Engine:
    torch.manual_seed(0)
    recipe = load_recipe(
        "train-gan",
        None,
        ["schedule.name=constant", "schedule.warmup_steps=0", "critic_warmup_steps=2", *settings],
    )
    task = build_task(recipe, build_generator("unet-resnet18"))
    return Engine(task, make_accelerator("cpu", "float32"), Budget(steps=10), recipe)


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(module: nn.Module, before: dict[str, torch.Tensor], part: str = "") -> bool:
    return all(torch.equal(v, before[n]) for n, v in module.state_dict().items() if part in n)


def test_the_learning_rate_follows_the_schedule():
    engine = regression(schedule=ScheduleConfig(name="cosine", warmup_steps=0))
    rates = [engine.step(pixels())["generator/learning_rate"].item() for _ in range(10)]
    expected = [0.05 * (1 + math.cos(math.pi * s / 10)) for s in range(10)]
    assert rates == pytest.approx(expected)


class TestAverage:
    def test_decay_warms_up_and_buffers_are_carried_along(self):
        model = nn.BatchNorm1d(1)
        average = ExponentialMovingAverage(model, decay=0.9)
        expected = 1.0
        for n, value in enumerate((3.0, 5.0, 9.0), start=1):
            nn.init.constant_(model.weight, value)
            model.running_mean.fill_(value)
            average.update(model)
            decay = min(0.9, (1 + n) / (10 + n))
            expected = decay * expected + (1 - decay) * value
        assert average.module.weight.item() == pytest.approx(expected)
        assert average.module.running_mean.item() == 9

    def test_a_short_run_does_not_export_its_first_weights(self):
        engine = regression(ema=0.9999)
        start = engine.exported.head.weight.clone()
        for _ in range(10):
            engine.step(pixels())
        now = engine.task.plain("generator").head.weight
        moved = (engine.exported.head.weight - start).norm() / (now - start).norm()
        assert moved > 0.5


class TestAccumulation:
    def test_four_times_two_is_eight(self):
        """Steps of plain gradient descent: the weights' movement is the gradient."""
        moves = []
        for count in (1, 4):
            engine = regression(clip=None)
            generator = engine.task.plain("generator").eval()  # BatchNorm frozen
            before = weights(generator)
            curves = engine.step(*map(Batch, pixels(8).pixels.chunk(count)))
            now = generator.named_parameters()
            moves.append(torch.cat([(v - before[n]).flatten() / 0.1 for n, v in now]))
            assert curves["generator/l1"].item() == pytest.approx(0.3, abs=0.2)
        assert moves[0].norm() > 1e-2
        assert (moves[0] - moves[1]).abs().max() < 1e-5

    def test_each_network_accumulates_over_the_same_pictures(self):
        """The generator is judged by the discriminator that has learnt from all of them."""
        seen, curves = [], []
        for count in (1, 4):
            engine = adversarial(
                "critic_warmup_steps=0",
                "optimizer={name: SGD, lr: 1.0}",
                "discriminator_optimizer={name: SGD, lr: 1.0}",
            )
            for name in ("generator", "discriminator"):
                engine.task.plain(name).eval()  # neither BatchNorm nor spectral norm moves
            curves.append(engine.step(*map(Batch, pixels(8).pixels.chunk(count))))
            seen.append({n: weights(engine.task.plain(n)) for n in engine.task.modules})
        for name in seen[0]:
            for key, value in seen[0][name].items():
                assert (value - seen[1][name][key]).abs().max() < 1e-5, (name, key)
        for key, value in curves[0].items():
            assert curves[1][key].item() == pytest.approx(value.item(), abs=1e-4), key


class TestCompiled:
    @pytest.fixture(autouse=True)
    def _without_building(self):
        """The networks are traced as for compiling, and run as they were traced."""
        with torch.compiler.set_stance(force_backend="eager"):
            yield
        torch.compiler.reset()

    def test_it_learns_the_same_and_leaves_plain_networks(self):
        plain, compiled = (adversarial("critic_warmup_steps=1", f"compile={c}") for c in "ny")
        for step in range(2):
            for engine in (plain, compiled):
                engine.step(pixels(seed=step))
        traced = counters["stats"]["unique_graphs"]
        assert traced > 0
        for engine in (plain, compiled):
            engine.try_out(pixels())
            engine.validate(pixels())
        assert counters["stats"]["unique_graphs"] == traced  # validation is not compiled
        for name in ("generator", "discriminator"):
            assert same(compiled.task.plain(name), weights(plain.task.plain(name))), name
        assert compiled.exported.state_dict().keys() == plain.exported.state_dict().keys()
        assert same(compiled.exported, weights(plain.exported))


class TestRegression:
    def test_it_learns_what_it_is_shown(self):
        engine = regression(clip=0.1)
        losses = [engine.step(photos())["generator/l1"].item() for _ in range(10)]
        assert losses[-1] < 0.9 * losses[0]

    def test_clipping_bounds_the_step(self):
        moves = []
        for clip in (None, 1e-3):
            engine = regression(clip=clip)
            before = weights(engine.task.plain("generator"))
            engine.step(pixels())
            now = dict(engine.task.plain("generator").named_parameters())
            moves.append(sum((v - before[n]).square().sum() for n, v in now.items()).sqrt().item())
        assert moves[1] == pytest.approx(0.1 * 1e-3, rel=0.01)
        assert moves[0] > 10 * moves[1]

    def test_equal_seeds_give_equal_runs(self):
        first, second = (regression() for _ in range(2))
        for engine in (first, second):
            for step in range(3):
                engine.step(pixels(seed=step))
        assert same(first.task.plain("generator"), weights(second.task.plain("generator")))

    def test_validation_tells_the_losses_of_the_recipe(self):
        recipe = load_recipe("pretrain", None, ["reconstruction={mse: 0.5, l1: 2}", "data.crop=32"])
        task = build_task(recipe, build_generator("cnn"))
        _, ab = rgb_to_l_ab(pixels().pixels)
        wanted = 0.5 * ab.square().mean() + 2 * ab.abs().mean()
        found = task.validate(lambda L: torch.zeros(len(L), 2, *L.shape[2:]), pixels())
        assert found.loss == found.scores["loss"] == pytest.approx(wanted.item(), rel=1e-5)
        assert found.scores["loss_gray"] == found.loss

    def test_frozen_batchnorm_keeps_its_statistics(self):
        for frozen in (False, True):
            recipe = load_recipe("pretrain", None, [f"freeze_batchnorm={str(frozen).lower()}"])
            task = build_task(recipe, build_generator("unet-resnet18"))
            engine = Engine(task, make_accelerator("cpu", "float32"), Budget(steps=2), recipe)
            before = weights(task.plain("generator"))
            engine.step(pixels())
            engine.validate(pixels())
            engine.step(pixels())
            assert same(task.plain("generator"), before, "running_") == frozen
            assert not same(task.plain("generator"), before, "encoder.0.0.conv1")


def test_film_changes_what_the_networks_see_and_not_what_they_learn():
    def state(*film):
        engine = adversarial(*film)
        torch.manual_seed(0)
        return engine.task.forward(photos(), {"generator"})

    plain, worn = state(), state("film.share=1")
    assert torch.equal(plain.ab, worn.ab)
    assert torch.equal(plain.L, rgb_to_l_ab(photos().pixels)[0])
    assert not torch.allclose(plain.L, worn.L, atol=1e-2)


class TestAdversarial:
    def test_the_critic_warms_up_alone(self):
        engine = adversarial()
        generator, critic = (engine.task.plain(n) for n in ("generator", "discriminator"))
        before, critic_before = weights(generator), weights(critic)
        for _ in range(2):
            curves = engine.step(pixels())
            assert not any(name.startswith("generator/") for name in curves)
        assert same(generator, before)
        assert not same(critic, critic_before)
        engine.step(pixels())
        assert not same(generator, before, "head")
        assert same(generator, before, "running_")

    @pytest.mark.parametrize("loss", ["hinge", "vanilla", "lsgan"])
    @pytest.mark.parametrize("resolution", ["half", "full"])
    @pytest.mark.parametrize("passes", ["joint", "separate"])
    def test_every_variant_steps(self, loss, resolution, passes):
        engine = adversarial(
            f"adversarial={loss}",
            f"discriminator.resolution={resolution}",
            f"discriminator.passes={passes}",
            "discriminator.options={norm: batch}",
            "critic_warmup_steps=0",
        )
        curves = engine.step(pixels())
        assert all(value.isfinite() for value in curves.values())
        assert {"discriminator/accuracy_real", "generator/adversarial"} < set(curves)

    def test_feature_matching_compares_what_the_critics_layers_see(self):
        engine = adversarial("critic_warmup_steps=0", "feature_matching=3", "film.share=1")
        task = engine.task
        state = task.forward(pixels(), {"generator"})
        losses = task.losses("generator", state)
        curves = losses.curves
        total = 60 * curves["l1"] + curves["adversarial"] + 3 * curves["feature_matching"]
        assert losses.total.item() == pytest.approx(total.item(), rel=1e-5)
        critic = task.plain("discriminator").eval()  # so that spectral norm stands still
        seen = torch.cat([state.L, state.prediction], 1)
        *features, logits = critic.features(seen)
        assert torch.equal(logits, critic(seen))
        assert [f.shape[1] for f in features] == [64, 128, 256, 512]
        state.prediction = band_limited(state.ab, 2)
        assert task.losses("generator", state).curves["feature_matching"] == 0

    def test_turns_do_not_leak_gradients_into_the_other_network(self):
        engine = adversarial("critic_warmup_steps=0")
        state = engine.task.forward(pixels(), {"generator", "discriminator"})
        engine.let_learn({"discriminator"})
        engine.task.losses("discriminator", state).total.backward()
        assert all(p.grad is None for p in engine.task.plain("generator").parameters())
        engine.let_learn({"generator"})
        critic_gradients = [p.grad.clone() for p in engine.task.plain("discriminator").parameters()]
        engine.task.losses("generator", state).total.backward()
        now = [p.grad for p in engine.task.plain("discriminator").parameters()]
        assert all(torch.equal(a, b) for a, b in zip(now, critic_gradients, strict=True))
        assert any(p.grad is not None for p in engine.task.plain("generator").parameters())

    def test_the_critic_sees_true_colour_as_coarse_as_the_generators(self):
        """Otherwise it could tell them apart by sharpness alone."""
        noise = torch.rand(1, 2, 64, 64) - 0.5
        limited = band_limited(noise, 2)
        coarse = torch.rand(1, 2, 32, 32) - 0.5
        enlarged = nn.functional.interpolate(coarse, scale_factor=2, mode="bilinear")

        def fine(x):
            return (x - nn.functional.avg_pool2d(x, 3, 1, 1)).square().mean() / x.square().mean()

        assert fine(noise) > 5 * fine(limited)
        assert fine(limited) == pytest.approx(fine(enlarged).item(), rel=0.5)
        assert band_limited(noise, 1) is noise

    def test_accuracy_is_that_of_the_decision(self):
        class Knows(nn.Module):
            """Says "real" exactly for colourful input."""

            def __init__(self):
                super().__init__()
                self.scale = nn.Parameter(torch.ones(1))

            def forward(self, x):
                return self.scale * (x[:, 1:].abs().mean((1, 2, 3)) - 0.05)

        recipe = GanRecipe()
        generator, critic = build_generator("unet-resnet18"), Knows()
        optimizers = tuple(torch.optim.SGD(m.parameters(), lr=1e-6) for m in (generator, critic))
        task = AdversarialTask(generator, critic, optimizers, recipe)
        state = task.forward(pixels(), {"discriminator"})
        curves = task.losses("discriminator", state).curves
        assert curves["accuracy_real"] == 1
        assert curves["accuracy_fake"] == 1


def test_state_goes_on_exactly_in_another_engine():
    whole = adversarial()
    for step in range(6):
        whole.step(pixels(seed=step))
    half = adversarial()
    for step in range(3):
        half.step(pixels(seed=step))
    state = copy.deepcopy(half.state_dict())
    other = adversarial("seed=0")
    other.load_state_dict(state)
    for step in range(3, 6):
        other.step(pixels(seed=step))
    for name in ("generator", "discriminator"):
        assert same(other.task.plain(name), weights(whole.task.plain(name))), name
    assert same(other.exported, weights(whole.exported))


def test_a_minutes_budget_follows_the_clock():
    engine = regression()
    before = engine.progress()
    time.sleep(0.3)
    engine.budget = Budget(seconds=60.0)
    first = engine.progress()
    time.sleep(0.3)
    assert before == 0
    assert engine.progress() - first == pytest.approx(0.3 / 60, abs=0.002)


def test_discriminators_are_built_by_name():
    assert build_discriminator("patchgan", {"width": 8})[0].out_channels == 8


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="keeps memory with glibc alone")
def test_memory_that_a_step_frees_is_kept_for_the_next():
    code = """
import resource, torch
from pix2color.training.engine import make_accelerator
make_accelerator("cpu")
for _ in range(10):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 1000  # of the 16,384 pages that are written
