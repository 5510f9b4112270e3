"""Sweeps: every combination, restarts, several workers."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time

import optuna
import pytest
import torch
from click.testing import CliRunner
from conftest import QUICK, pix2color, settings

from pix2color.cli.main import cli
from pix2color.errors import UsageError
from pix2color.experiments import sweep
from pix2color.experiments.axes import Axis
from pix2color.experiments.sweep_plan import Sweep
from pix2color.models.encoders import resnet18_gray

# Its fixtures take long to make: once, not in every process of the tests.
pytestmark = pytest.mark.xdist_group("sweep")

SMALL = [s for s in QUICK if not s.startswith(("data.val_fraction", "model"))]
TINY = ("model.name=unet", "model.options={width: 4}")
LOSSES = ("reconstruction=l1,mse",)
BOTH = ("optimizer.name=adam,sgd", *LOSSES)
COMBINATIONS = [("adam", "l1"), ("adam", "mse"), ("sgd", "l1"), ("sgd", "mse")]


def words(photos, out, over, *more, steps=1, model=TINY):
    budget = ("--data", photos, "--val-fraction", 0.15, "--steps-each", steps, "--samples", 1)
    chosen = settings(*SMALL, *model, "validation.size=32", "checkpoint.every_steps=2")
    axes = [word for axis in over for word in ("--over", axis)]
    return [*map(str, ("sweep", *axes, *more, *budget, "--out", out, *chosen))]


def run_here(*args, code=0, **named):
    """Run the command in this process."""
    result = CliRunner().invoke(cli, words(*args, **named))
    assert result.exit_code == code, result.output
    return result


def wait_for_a_checkpoint(out, process):
    deadline = time.monotonic() + 120
    while not list(out.glob("runs/*/checkpoints/step-*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def swept(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("sweep")
    result = pix2color(*words(photos, out, BOTH))
    assert result.returncode == 0, result.stderr
    return out, result


def results(out):
    return json.loads((out / "report" / "results.json").read_text())


def study(out):
    storage = f"sqlite:///{out / 'sweep.db'}"
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage)


def complete(out):
    return sorted(
        tuple(trial.params.values())
        for trial in study(out).get_trials()
        if trial.state.name == "COMPLETE"
    )


def test_every_combination_is_a_run_and_the_best_comes_first(swept):
    out, _ = swept
    names = {f"optimizer.name={o},reconstruction={x}" for o, x in COMBINATIONS}
    assert {run.name for run in (out / "runs").iterdir()} == names
    systems = results(out)["systems"]
    assert set(systems) == names
    errors = [system["scores"]["delta_e"][0] for system in systems.values()]
    assert errors == sorted(errors)
    values = {trial.value for trial in study(out).get_trials()}
    assert values == set(errors)


def test_what_is_done_is_not_done_again(swept, photos):
    out, first = swept
    models = [p.stat().st_mtime_ns for p in sorted(out.glob("runs/*/model.safetensors"))]
    again = run_here(photos, out, BOTH)
    assert again.stdout == first.stdout
    assert [p.stat().st_mtime_ns for p in sorted(out.glob("runs/*/model.safetensors"))] == models
    assert len(study(out).get_trials()) == 4


def test_a_sweep_over_more_values_keeps_what_is_done(photos, tmp_path):
    for over, done in (("l1,mse", 0), ("l1,mse,smooth_l1", 2)):
        result = run_here(photos, tmp_path, [f"reconstruction={over}"])
        assert result.stderr.count("is trained already") >= done
        assert len(results(tmp_path)["systems"]) == over.count(",") + 1


@pytest.mark.slow
def test_one_that_fails_is_named_and_tried_again(photos, tmp_path):
    encoder, out = tmp_path / "encoder.pth", tmp_path / "out"
    over = [f"model.encoder_weights=none,{encoder}"]
    run_here(photos, out, over, code=1, model=())
    failed = results(out)["failed"]
    assert [str(encoder) in why for why in failed.values()] == [True]
    assert len(results(out)["systems"]) == 1
    torch.save(resnet18_gray("none").state_dict(), encoder)
    run_here(photos, out, over, model=())
    assert not results(out)["failed"]
    assert len(results(out)["systems"]) == 2


@pytest.mark.slow
def test_ctrl_c_is_gone_on_with(photos, tmp_path):
    command = [sys.executable, "-m", "pix2color", *words(photos, tmp_path, LOSSES, steps=60)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for_a_checkpoint(tmp_path, process)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in printed
    again = run_here(photos, tmp_path, LOSSES, steps=60)
    assert "from step 0" not in again.stderr.partition("trial")[2].splitlines()[1]
    assert len(results(tmp_path)["systems"]) == 2


@pytest.mark.parametrize(
    ("over", "trials", "allowed"),
    [
        ("optimizer.lr=1e-5..1e-2", 2, lambda value: 1e-5 <= value <= 1e-2),
        ("data.batch_size=2..4", 2, lambda value: value in (2, 3, 4)),
    ],
    ids=["real", "whole"],
)
def test_a_search_within_a_range_makes_so_many_trials(over, trials, allowed, photos, tmp_path):
    run_here(photos, tmp_path, [over], "--trials", trials)
    values = [value for (value,) in complete(tmp_path)]  # a repeated proposal is no trial
    assert len(set(values)) == len(values) == trials
    assert all(map(allowed, values))


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_two_share_what_is_left(photos, tmp_path):
    command = [sys.executable, "-m", "pix2color", *words(photos, tmp_path, BOTH, steps=20)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_a_checkpoint(tmp_path, process)
    process.kill()
    process.wait()
    workers = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [worker.wait(timeout=240) for worker in workers] == [0, 0]
    assert complete(tmp_path) == COMBINATIONS


def plan_of(out, over, trials=None, measure="psnr"):
    axes = tuple(map(Axis.parse, over))
    return Sweep(None, (), {}, axes, measure, trials, None, out)


def ask_for_all(out, plan, start, numbers):
    """Ask as a worker does, and end at once, until nothing is left."""
    shared = optuna.load_study(study_name="shared", storage=f"sqlite:///{out / 'sweep.db'}")
    start.wait()
    while trial := sweep.next_trial(plan, shared):
        numbers.put((trial.number, *trial.params.values()))
        shared.tell(trial, 1.0)
    numbers.put(None)


@pytest.mark.parametrize(
    ("over", "trials"),
    [
        ("optimizer.lr=0.0001..0.9", 30),  # all of them waiting
        (f"reconstruction={','.join(map(str, range(30)))}", None),  # all combinations
        ("data.batch_size=1..30", 40),  # a range of whole numbers, and more trials than it has
    ],
    ids=["waiting", "combinations", "range"],
)
def test_no_two_workers_get_the_same_trial(over, trials, tmp_path):
    shared = optuna.create_study(study_name="shared", storage=f"sqlite:///{tmp_path / 'sweep.db'}")
    if "lr" in over:
        for i in range(30):
            shared.enqueue_trial({"optimizer.lr": (i + 1) / 100})
    fork = multiprocessing.get_context("fork")
    start, numbers = fork.Barrier(3), fork.Queue()
    arguments = (tmp_path, plan_of(tmp_path, [over], trials), start, numbers)
    workers = [fork.Process(target=ask_for_all, args=arguments) for _ in range(3)]
    for worker in workers:
        worker.start()
    found, ended = [], 0
    while ended < len(workers):
        got = numbers.get(timeout=60)
        found += [got] if got else []
        ended += got is None
    for worker in workers:
        worker.join(60)
    assert len(found) == 30
    assert len({number for number, _ in found}) == 30
    assert len({value for _, value in found}) == 30


class TestTrialsOfOthers:
    """Trials that other processes have left, or are at."""

    @pytest.fixture
    def plan(self, tmp_path):
        return plan_of(tmp_path, LOSSES)

    @pytest.fixture
    def shared(self, tmp_path):
        return optuna.create_study(storage=f"sqlite:///{tmp_path / 'sweep.db'}")

    def begin(self, plan, shared, process):
        """A trial that a process is at."""
        trial = sweep.next_trial(plan, shared)
        trial.set_user_attr("owner", [socket.gethostname(), process])
        return trial

    def gone(self):
        process = subprocess.Popen(["true"])
        process.wait()
        return process.pid

    def states(self, shared):
        return [trial.state.name for trial in shared.get_trials()]

    def test_what_a_dead_process_has_left_is_made_again(self, plan, shared):
        left = self.begin(plan, shared, self.gone())
        again = sweep.next_trial(plan, shared)
        assert again.params == left.params
        assert self.states(shared) == ["PRUNED", "RUNNING"]

    def test_what_a_living_process_is_at_is_left_to_it(self, plan, shared):
        other = self.begin(plan, shared, os.getppid())
        mine = sweep.next_trial(plan, shared)
        assert mine.params != other.params
        mine.set_user_attr("owner", [socket.gethostname(), os.getppid()])
        assert sweep.next_trial(plan, shared) is None

    def test_what_a_process_on_another_machine_is_at_is_left_to_it(self, plan, shared):
        other = self.begin(plan, shared, self.gone())
        other.set_user_attr("owner", ["elsewhere", 1])
        assert sweep.next_trial(plan, shared).params != other.params

    def test_one_that_was_killed_while_asking_holds_up_nobody(self, plan, shared):
        shared.ask()  # without its values, and nobody's
        asked = set()
        while trial := sweep.next_trial(plan, shared):
            trial.set_user_attr("owner", [socket.gethostname(), os.getppid()])
            asked.add(trial.params["reconstruction"])
        assert asked == {"l1", "mse"}


@pytest.mark.parametrize("text", ["lr", "lr=", "lr=1,,2", "lr=a..b", "lr=2..1"])
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(UsageError, match="--over"):
        Axis.parse(text)


@pytest.mark.parametrize(
    ("over", "more", "key"),
    [
        (["optimizer.lr=1..2"], (), "--trials"),
        (["optimizer.lrr=1,2"], (), "optimizer.lrr"),
        (["data.batch_size=4,big"], (), "data.batch_size"),
        (["budget.max_steps=1,2"], (), "budget.max_steps"),
        (["data.val_fraction=0.1,0.2"], (), "data.val_fraction"),
        (["reconstruction=l1", "reconstruction=mse"], (), "reconstruction"),
        (BOTH, ("--measure", "beauty"), "--measure beauty"),
        (BOTH, ("--measure", "warping_error"), "--measure warping_error"),  # is of films
    ],
)
def test_wrong_requests_are_one_line_and_leave_nothing(over, more, key, photos, tmp_path):
    result = run_here(photos, tmp_path / "x", over, *more, code=2)
    (line,) = result.stderr.splitlines()
    assert key in line
    assert not (tmp_path / "x").exists()
