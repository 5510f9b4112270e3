"""Sweeps as real processes: every combination, restarts, several workers."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta

import optuna
import pytest
import torch
from conftest import QUICK, one_line, pix2color, settings

from pix2color.errors import UsageError
from pix2color.experiments import sweep
from pix2color.experiments.axes import Axis
from pix2color.models.encoders import resnet18_gray

SMALL = [s for s in QUICK if not s.startswith("data.val_fraction")]
LOSS = optuna.distributions.CategoricalDistribution(("l1", "mse"))
OVER = ("--over", "optimizer.name=adam,sgd", "--over", "reconstruction=l1,mse")


def words(photos, out, *more, steps=2):
    budget = ("--data", photos, "--val-fraction", 0.4, "--steps-each", steps, "--samples", 1)
    chosen = settings(*SMALL, "validation.size=64", "checkpoint.every_steps=2")
    return [*map(str, ("sweep", *more, *budget, "--out", out, *chosen))]


def wait_for_a_checkpoint(out, process):
    deadline = time.monotonic() + 120
    while not list(out.glob("runs/*/checkpoints/step-*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def swept(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("sweep")
    result = pix2color(*words(photos, out, *OVER))
    assert result.returncode == 0, result.stderr
    return out, result


def results(out):
    return json.loads((out / "report" / "results.json").read_text())


def study(out):
    storage = f"sqlite:///{out / 'sweep.db'}"
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage)


def test_every_combination_is_a_run_and_the_best_comes_first(swept):
    out, _ = swept
    names = {
        f"optimizer.name={optimizer},reconstruction={loss}"
        for optimizer in ("adam", "sgd")
        for loss in ("l1", "mse")
    }
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
    again = pix2color(*words(photos, out, *OVER))
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    assert [p.stat().st_mtime_ns for p in sorted(out.glob("runs/*/model.safetensors"))] == models
    assert len(study(out).get_trials()) == 4


def test_a_sweep_over_more_values_keeps_what_is_done(photos, tmp_path):
    for over, done in (("reconstruction=l1,mse", 0), ("reconstruction=l1,mse,smooth_l1", 2)):
        result = pix2color(*words(photos, tmp_path, "--over", over, steps=1))
        assert result.returncode == 0, result.stderr
        assert result.stderr.count("is trained already") >= done
        assert len(results(tmp_path)["systems"]) == over.count(",") + 1


def test_one_that_fails_is_named_and_tried_again(photos, tmp_path):
    encoder = tmp_path / "encoder.pth"
    over = ("--over", f"model.encoder_weights=none,{encoder}")
    result = pix2color(*words(photos, tmp_path / "out", *over))
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    failed = results(tmp_path / "out")["failed"]
    assert [str(encoder) in why for why in failed.values()] == [True]
    assert len(results(tmp_path / "out")["systems"]) == 1
    torch.save(resnet18_gray("none").state_dict(), encoder)
    again = pix2color(*words(photos, tmp_path / "out", *over))
    assert again.returncode == 0, again.stderr
    assert not results(tmp_path / "out")["failed"]
    assert len(results(tmp_path / "out")["systems"]) == 2


def test_ctrl_c_is_gone_on_with(photos, tmp_path):
    command = [sys.executable, "-m", "pix2color", *words(photos, tmp_path, *OVER[:2], steps=30)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for_a_checkpoint(tmp_path, process)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in told
    assert "the same command goes on" in told
    again = pix2color(*map(str, command[3:]))
    assert again.returncode == 0, again.stderr
    assert "from step 0" not in again.stderr.partition("trial")[2].splitlines()[1]
    assert len(results(tmp_path)["systems"]) == 2


def test_more_trials_than_there_are_combinations_are_all_of_them(photos, tmp_path):
    over = ("--over", "reconstruction=l1,mse", "--trials", 5)
    result = pix2color(*words(photos, tmp_path, *over, steps=1))
    assert result.returncode == 0, result.stderr
    assert len(results(tmp_path)["systems"]) == 2


def test_a_search_within_a_range_makes_so_many_trials(photos, tmp_path):
    result = pix2color(*words(photos, tmp_path, "--over", "optimizer.lr=1e-5..1e-2", "--trials", 2))
    assert result.returncode == 0, result.stderr
    rates = [trial.params["optimizer.lr"] for trial in study(tmp_path).get_trials()]
    assert len(rates) == 2
    assert all(1e-5 <= rate <= 1e-2 for rate in rates)


def test_a_range_of_whole_numbers_has_no_others(photos, tmp_path):
    result = pix2color(
        *words(photos, tmp_path, "--over", "data.batch_size=2..4", "--trials", 2, steps=1)
    )
    assert result.returncode == 0, result.stderr
    sizes = [trial.params["data.batch_size"] for trial in study(tmp_path).get_trials()]
    assert all(size in (2, 3, 4) for size in sizes)


def test_more_trials_than_a_range_has_whole_numbers_are_all_of_them(photos, tmp_path):
    over = ("--over", "data.batch_size=2..3", "--trials", 5)
    result = pix2color(*words(photos, tmp_path, *over, steps=1))
    assert result.returncode == 0, result.stderr
    assert len(results(tmp_path)["systems"]) == 2


def test_two_workers_share_a_sweep_and_one_that_is_killed_loses_nothing(photos, tmp_path):
    command = [sys.executable, "-m", "pix2color", *words(photos, tmp_path, *OVER, steps=6)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_a_checkpoint(tmp_path, process)
    process.kill()
    process.wait()
    workers = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [worker.wait(timeout=240) for worker in workers] == [0, 0]
    complete = [t for t in study(tmp_path).get_trials() if t.state.name == "COMPLETE"]
    assert sorted(tuple(t.params.values()) for t in complete) == [
        (optimizer, loss) for optimizer in ("adam", "sgd") for loss in ("l1", "mse")
    ]


ASKS = """
import sys
import optuna
from pathlib import Path
from pix2color import sweep
from pix2color.axes import Axis
out = Path(sys.argv[1])
over = (Axis.parsed("optimizer.lr=0.0001..0.9"),)
plan = sweep.Sweep(None, (), {}, over, "psnr", 60, None, out)
study = optuna.load_study(study_name="shared", storage=f"sqlite:///{out / 'sweep.db'}")
sys.stdin.readline()
while trial := sweep._next(plan, study, 0):
    print(trial.number)
"""


def test_no_two_workers_get_the_same_waiting_trial(tmp_path):
    study = optuna.create_study(study_name="shared", storage=f"sqlite:///{tmp_path / 'sweep.db'}")
    for i in range(60):
        study.enqueue_trial({"optimizer.lr": (i + 1) / 100})
    command = [sys.executable, "-c", ASKS, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for worker in workers:
        worker.stdin.write("\n")
        worker.stdin.flush()
    told = [worker.communicate(timeout=240)[0].split() for worker in workers]
    assert sorted(int(number) for numbers in told for number in numbers) == list(range(60))


class TestTwoAtOnce:
    """What other processes do between a look at the database and the next."""

    @pytest.fixture
    def shared(self, tmp_path):
        """A study, and a trial in it that was left by a process that is no more."""
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        study = optuna.create_study(storage=f"sqlite:///{tmp_path / 'sweep.db'}")
        trial = study.ask({"loss": LOSS})
        trial.set_user_attr("owner", [socket.gethostname(), gone.pid])
        return study, trial

    def states(self, study):
        return [trial.state.name for trial in study.get_trials()]

    def test_a_trial_that_two_find_left_is_given_back_once(self, shared, monkeypatch):
        study, trial = shared
        write = study._storage.set_trial_state_values

        def beaten(*values, **named):
            write(*values, **named)  # the other process
            study.enqueue_trial(trial.params)
            return write(*values, **named)

        monkeypatch.setattr(study._storage, "set_trial_state_values", beaten)
        sweep._give_back(study)
        assert self.states(study) == ["PRUNED", "WAITING"]

    def test_one_that_was_given_back_since_it_was_seen_stays_so(self, shared, monkeypatch):
        study, _ = shared
        seen = study.get_trials()
        sweep._give_back(study)
        monkeypatch.setattr(study, "get_trials", lambda **_: seen)
        sweep._give_back(study)
        monkeypatch.undo()
        assert self.states(study) == ["PRUNED", "WAITING"]

    def test_one_that_is_still_being_asked_for_is_waited_for(self, shared):
        study, trial = shared
        other = study.ask()  # its values come one by one, and its owner at the end
        last = study.ask({"loss": LOSS})
        waiting = threading.Thread(target=lambda: found.extend(sweep._before(study, last)))
        found = []
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        assert sweep._taken(study.get_trials(), 0) == {frozenset(trial.params.items())}
        sweep._give_back(study)
        assert self.states(study)[other.number] == "RUNNING"
        value = other.suggest_categorical("loss", LOSS.choices)
        other.set_user_attr("owner", [socket.gethostname(), os.getpid()])
        waiting.join(10)
        assert frozenset({("loss", value)}) in sweep._taken(found, 0)

    def test_one_whose_process_was_killed_while_asking_is_not_waited_for(self, shared, monkeypatch):
        study, _ = shared
        study.ask()
        last = study.ask({"loss": LOSS})
        monkeypatch.setattr(sweep, "_ASKING", timedelta(0))
        assert len(sweep._before(study, last)) == last.number
        sweep._give_back(study)
        assert "RUNNING" not in self.states(study)


@pytest.mark.parametrize("text", ["lr", "lr=", "lr=1,,2", "lr=a..b", "lr=2..1"])
def test_what_cannot_be_read_is_told(text):
    with pytest.raises(UsageError, match="--over"):
        Axis.parsed(text)


def test_wrong_requests_are_one_line(photos, tmp_path):
    for over, told in (
        ("optimizer.lr=1..2", "--trials"),
        ("optim.lrr=1,2", "did you mean"),
        ("data.batch_size=4,big", "batch_size"),
        ("budget.max_steps=1,2", "same for all"),
        ("data.val_fraction=0.1,0.2", "same for all"),
    ):
        assert told in one_line(pix2color(*words(photos, tmp_path / "x", "--over", over)), 2)
    twice = ("--over", "reconstruction=l1", "--over", "reconstruction=mse")
    assert "twice" in one_line(pix2color(*words(photos, tmp_path / "x", *twice)), 2)
    told = one_line(pix2color(*words(photos, tmp_path / "x", *OVER, "--measure", "beauty")), 2)
    assert "delta_e" in told
    assert not (tmp_path / "x").exists()
