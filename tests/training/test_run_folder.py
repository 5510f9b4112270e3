import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from conftest import one_line, pix2color

from pix2color.training.run_folder import ACTIVE, DAMAGED, FINISHED, LOST, RESUMABLE, find_runs


@pytest.fixture
def stopped(pretrained, tmp_path):
    """As a kill after step 3 of 6 would have left it."""
    run = tmp_path / "runs" / "stopped"
    shutil.copytree(pretrained, run)
    shutil.rmtree(run / "checkpoints" / "step-00000003", ignore_errors=True)  # of a best validation
    (run / "checkpoints" / "step-00000006").rename(run / "checkpoints" / "step-00000003")
    lines = (run / "metrics.jsonl").read_text().splitlines()
    kept = [line for line in lines if json.loads(line)["step"] <= 3]
    (run / "metrics.jsonl").write_text("\n".join(kept) + '\n{"step": 4, "gener')
    return run


def age(run, seconds):
    then = time.time() - seconds
    for path in run.rglob("*"):
        os.utime(path, (then, then))


def state(run):
    (found,) = find_runs(run)
    return found.state


def test_a_finished_run(pretrained):
    (run,) = find_runs(pretrained.parent)
    assert (run.folder, run.task, run.state) == (pretrained, "pretrain", FINISHED)
    assert (run.step, run.checkpoint, run.budget) == (6, 6, {"max_steps": 6})
    points = [json.loads(x) for x in (pretrained / "metrics.jsonl").read_text().splitlines()]
    scored = [p for p in points if "val/psnr" in p][-1]
    assert run.scores["psnr"] == scored["val/psnr"]
    assert run.scores["colorfulness_ratio"] == scored["val/colorfulness_ratio"]
    files = [p for p in pretrained.rglob("*") if p.is_file()]
    assert run.bytes == sum(p.stat().st_size for p in files)
    assert abs(run.written - max(p.stat().st_mtime for p in files)) < 1


def test_a_run_that_was_stopped(stopped):
    age(stopped, 3600)
    (run,) = find_runs(stopped.parent)
    assert (run.state, run.step, run.checkpoint) == (RESUMABLE, 3, 3)


def test_whether_a_quiet_run_lives_is_not_claimed(stopped):
    age(stopped, 10)
    assert state(stopped) == ACTIVE


def test_without_a_checkpoint_there_is_no_going_on(stopped):
    shutil.rmtree(stopped / "checkpoints")
    age(stopped, 3600)
    assert state(stopped) == LOST


def test_a_run_whose_budget_was_raised_is_not_finished_for_long(stopped):
    """The note of its first end stays among the curves; what came after it counts."""
    with (stopped / "metrics.jsonl").open("a") as file:
        file.write('\n{"step": 3, "finished": true}\n')
    assert state(stopped) == FINISHED
    with (stopped / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "generator/l1": 0.1}\n')
    age(stopped, 3600)
    assert state(stopped) == RESUMABLE


def test_one_damaged_run_does_not_hide_the_others(stopped):
    shutil.copytree(stopped, stopped.parent / "damaged")
    (stopped.parent / "damaged" / "config.yaml").write_text("a: [")
    assert {r.folder.name: r.state == DAMAGED for r in find_runs(stopped.parent)} == {
        "stopped": False,
        "damaged": True,
    }
    assert pix2color("runs", stopped.parent).returncode == 0


def test_the_command_lists_them_without_torch(pretrained, stopped):
    script = (
        "import sys\nfrom pix2color.cli.main import cli\n"
        f"cli(['runs', {str(stopped.parent)!r}], standalone_mode=False)\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    head, line = result.stdout.splitlines()
    assert head.split()[:4] == ["run", "task", "state", "step"]
    assert "3/6" in line
    (told,) = json.loads(pix2color("runs", pretrained, "--json").stdout)
    assert (told["name"], told["state"], told["step"]) == (pretrained.name, FINISHED, 6)


def test_nothing_to_list_is_said(tmp_path):
    assert "no run" in one_line(pix2color("runs", tmp_path), 1)
    assert "no such folder" in one_line(pix2color("runs", tmp_path / "nowhere"), 2)
