"""The recipe for Ray Data, as the documentation has it, on a local Ray."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from skimage import data

pytest.importorskip("ray", reason="no Ray: pip install 'ray[data]'")


@pytest.mark.slow
def test_ray_colours_a_folder(tmp_path):
    page = (ROOT / "docs" / "many-photos.md").read_text("utf-8")
    recipe = page.split("```python\n")[1].split("```")[0]
    (tmp_path / "old-photos").mkdir()
    for number in range(6):
        photo = Image.fromarray(data.camera()).resize((120 + number, 90))
        photo.save(tmp_path / "old-photos" / f"{number}.jpg")
    done = subprocess.run(
        [sys.executable, "-c", recipe], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "6 photos coloured" in done.stdout
    for number in range(6):
        picture = Image.open(tmp_path / "colour" / f"{number}.jpg")
        assert picture.size == (120 + number, 90)
        assert np.ptp(np.asarray(picture).astype(int), axis=2).mean() > 2
