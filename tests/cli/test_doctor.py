import configparser
import json
import os
import shlex

import psutil
import pytest
from command_line import invoke
from conftest import ROOT, pix2color

from pix2color.cli import examination


@pytest.fixture(scope="module")
def found():
    result = pix2color("doctor", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)


def test_it_looks_for_what_the_package_asks_for(found):
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg")
    extras = set(metadata["options.extras_require"]) - {"dev", "docs"}
    assert set(found["extras"]) == extras
    assert {"numpy", "pillow", "click"} <= set(found["versions"])
    assert not found["problems"]


def test_the_facts_are_this_machines(found):
    import torch
    from PIL import Image

    from pix2color.models.precision import computes_in_bf16

    assert found["extras"]["train"]["torch"] == torch.__version__
    assert found["devices"][0] == "cpu"
    assert found["versions"]["pillow"] == Image.__version__
    assert found["cpu"]["bf16"] == computes_in_bf16("cpu")
    assert 1 <= found["cpu"]["cores"] <= os.cpu_count()
    assert 0 < found["memory"]["available"] <= found["memory"]["total"]
    assert found["memory"]["total"] <= psutil.virtual_memory().total
    assert len(found["accelerators"]) == torch.accelerator.device_count()
    assert found["codecs"]["libjpeg-turbo"]


def test_the_advice_is_a_command_that_exists(found):
    words = shlex.split(found["advice"]["command"])
    known = invoke("pretrain", "--help").stdout
    assert all(word in known for word in words if word.startswith("--") and "nproc" not in word)
    assert ("torchrun" in words) == (len(found["accelerators"]) > 1)


def test_several_accelerators_get_a_process_each_and_share_the_cores():
    gpu = {"name": "GPU", "kind": "cuda", "bytes": 24e9, "bf16": True}
    examined = examination.Examination({}, {}, {}, {}, cpu={"cores": 12}, accelerators=[gpu] * 4)
    advice = examination.advise(examined)
    assert advice["command"].startswith("torchrun --nproc-per-node 4 -m pix2color pretrain ")
    assert advice["workers"] == 3


def test_the_table_is_short_and_says_the_same(found):
    text = invoke("doctor").stdout
    assert found["cpu"]["model"] in text
    assert text.splitlines()[-1].endswith(found["advice"]["command"])
    assert len(text.splitlines()) < 20


def test_a_broken_torch_is_named_with_its_cure(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch_cpu.so: cannot open')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    result = pix2color("doctor", "--json")
    assert result.returncode == 1
    problems = json.loads(result.stdout)["problems"]
    assert any(
        "libtorch_cpu.so" in p and "pip install --force-reinstall torch" in p for p in problems
    )
    assert "PROBLEM" in pix2color("doctor").stdout


def test_a_runs_folder_that_cannot_be_is_a_problem(tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = invoke("doctor", "--runs-dir", tmp_path / "file" / "runs")
    assert result.returncode == 1
    assert "--runs-dir" in result.stdout


def test_the_limits_of_a_container_count(tmp_path, monkeypatch):
    limits = {"memory.max": "1000000", "memory.current": "400000"}
    monkeypatch.setattr(examination, "container_limit", lambda name: limits.get(name, ""))
    assert examination.examine(tmp_path).memory == {"total": 1000000, "available": 600000}
