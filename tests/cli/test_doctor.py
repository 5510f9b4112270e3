import configparser
import json
import os
import re
import shlex

import psutil
import pytest
from conftest import ROOT, pix2color

from pix2color.cli import examination


@pytest.fixture(scope="module")
def found():
    result = pix2color("doctor", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)


def test_it_looks_for_what_the_package_asks_for():
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg")

    def names(section, option):
        return {re.split(r"[<>=]", line)[0] for line in metadata[section][option].split()}

    assert names("options", "install_requires") == set(examination.NEEDED)
    for_who_works_on_it = {"dev", "docs"}
    extras = set(metadata["options.extras_require"]) - for_who_works_on_it
    assert extras == set(examination.EXTRAS)
    for extra in extras:
        assert names("options.extras_require", extra) == set(examination.EXTRAS[extra])


def test_the_facts_are_this_machines(found):
    import torch
    from PIL import Image

    assert found["versions"]["torch"] == torch.__version__
    assert found["versions"]["pillow"] == Image.__version__
    assert found["cpu"]["bf16"] == torch.cpu._is_avx512_bf16_supported()
    assert 1 <= found["cpu"]["cores"] <= os.cpu_count()
    assert 0 < found["memory"]["available"] <= found["memory"]["total"]
    assert found["memory"]["total"] <= psutil.virtual_memory().total
    assert len(found["accelerators"]) == torch.accelerator.device_count()
    assert found["codecs"]["libjpeg-turbo"]


def test_the_advice_is_a_command_that_exists(found):
    words = shlex.split(found["advice"]["command"])
    known = pix2color("pretrain", "--help").stdout
    assert all(word in known for word in words if word.startswith("--") and "nproc" not in word)
    assert ("torchrun" in words) == (len(found["accelerators"]) > 1)


def test_several_accelerators_get_a_process_each_and_share_the_cores():
    gpu = {"name": "GPU", "kind": "cuda", "bytes": 24e9, "bf16": True}
    examined = examination.Examination({}, {}, {}, {}, cpu={"cores": 12}, accelerators=[gpu] * 4)
    advice = examination._advice(examined)
    assert advice["command"].startswith("torchrun --nproc-per-node 4 -m pix2color pretrain ")
    assert advice["workers"] == 3


def test_the_table_is_short_and_says_the_same(found):
    text = pix2color("doctor").stdout
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
    result = pix2color("doctor", "--runs-dir", tmp_path / "file" / "runs")
    assert result.returncode == 1
    assert "--runs-dir" in result.stdout


def test_the_limits_of_a_container_count(tmp_path, monkeypatch):
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    monkeypatch.setattr(examination, "_CGROUP", tmp_path)
    assert examination._cores() == 1
    assert examination._memory() == {"total": 1000000, "available": 600000}
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert examination._cores() >= 1
