"""The static site: photos coloured inside a real browser, as Python colours them."""

import base64
import contextlib
import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from serving import files_server, pixels
from skimage import data

from pix2color.errors import MissingExtraError, StorageError
from pix2color.inference.colorizer import Colorizer
from pix2color.inference.doubt_spots import doubt_spots
from pix2color.inference.hints import Hint
from pix2color.inference.options import ColorizeOptions
from pix2color.web.site import PAGE, build_site

api = pytest.importorskip("playwright.sync_api", reason="no Playwright on this machine")

# Its fixtures take long to make: once, not in every process of the tests.
pytestmark = pytest.mark.xdist_group("site")

PLAIN = {"saturation": 1, "temperature": 0, "renderSize": None, "like": None}
TEST_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>test</title>
<link rel="icon" href="data:,">
<script type="module" src="test.js"></script>"""
TEST_SCRIPT = """
import { Engine } from "./engine.js";

const opened = (text, name, type) =>
  new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name, { type });

async function text(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let all = "";
  for (let i = 0; i < bytes.length; i += 4096) {
    all += String.fromCharCode(...bytes.subarray(i, i + 4096));
  }
  return btoa(all);
}

window.colored = async (file, name, type, options, hints) => {
  const engine = await (window.engine ??= Engine.start((...bytes) => (window.bytes = bytes)));
  const photo = await engine.look(opened(file, name, type));
  Object.assign(photo, { file: opened(file, name, type), name });
  if (options.like) options.like = opened(options.like, "like.png", "image/png");
  const preview = await engine.preview(photo, options, hints);
  const result = await engine.result(photo, options, hints);
  const doubts = await engine.doubts(photo, []);
  engine.forget(photo);
  const { width, height, hasColor, notes } = photo;
  const files = { gray: await text(photo.preview), preview: await text(preview) };
  const found = { width, height, hasColor, notes, doubts, type: result.type, model: engine.model };
  return { ...found, ...files, result: await text(result) };
};
window.ready = true;
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, and a page in it that the tests drive."""
    page, out = (tmp_path_factory.mktemp("site") / name for name in ("page", "out"))
    shutil.copytree(PAGE, page)
    (page / "test.html").write_text(TEST_PAGE)
    (page / "test.js").write_text(TEST_SCRIPT)
    try:
        build_site(out, page=page)
    except MissingExtraError as error:
        pytest.skip(str(error))
    return out


@contextlib.contextmanager
def visited(browser, site):
    """A window at the test page, and its server; nothing outside of it must be asked for."""
    server, address = files_server(site)
    complaints: list[str] = []
    context = browser.new_context()
    context.on("console", lambda message: complaints.append(message.text))
    context.on(
        "request",
        lambda asked: (
            asked.url.startswith((address, "blob:", "data:")) or complaints.append(asked.url)
        ),
    )
    tab = context.new_page()
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(address + "test.html")
    tab.wait_for_function("window.ready")
    yield tab, server
    context.close()
    server.shutdown()
    server.server_close()
    assert not complaints


@pytest.fixture(scope="module")
def tab(browser, site):
    with visited(browser, site) as (tab, _):
        yield tab


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.load("default", "cpu")


def colored(tab, file, options=PLAIN, hints=(), name="photo.png", kind="image/png"):
    arguments = [as_text(file), name, kind, dict(options), list(hints)]
    found = tab.evaluate("given => colored(...given)", arguments)
    for part in ("gray", "preview", "result"):
        found[part] = base64.b64decode(found[part])
    return found


def as_text(file: bytes) -> str:
    return base64.b64encode(file).decode()


def saved(picture, file_format="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def astronaut(*size: int) -> bytes:
    return saved(Image.fromarray(data.astronaut()).convert("L").resize(size))


def agreement(result: bytes, wanted: Image.Image) -> float:
    """Share of pixels that differ by two levels at most."""
    other = np.asarray(wanted.convert("RGB")).astype(int)
    return float((abs(pixels(result) - other).max(axis=2) <= 2).mean())


def test_colours_are_those_of_python(tab, colorizer):
    for file in (saved(data.camera()), astronaut(1501, 1203), astronaut(40, 91)):
        found = colored(tab, file)
        assert agreement(found["result"], colorizer.colorize(file)) >= 0.999
        assert (found["type"], found["hasColor"], found["notes"]) == ("image/png", False, [])
        with Image.open(io.BytesIO(found["result"])) as result:
            assert (found["width"], found["height"]) == result.size
            assert max(pixels(found["gray"]).shape) == min(1280, max(result.size))
        assert pixels(found["preview"]).shape == pixels(found["gray"]).shape
    assert found["model"]["takesHints"]
    loaded, total = tab.evaluate("bytes")
    assert loaded == total > 2e7


def test_doubts_are_those_of_python(tab, colorizer):
    file = astronaut(900, 700)
    found = colored(tab, file)["doubts"]
    assert [(spot["x"], spot["y"]) for spot in found] == doubt_spots(colorizer.doubt(file))


def test_hints_and_adjustments_are_those_of_python(tab, colorizer):
    file, like = astronaut(800, 600), saved(data.coffee())
    hint = {"x": 400, "y": 550, "color": "#2e7a2e"}
    options = {"saturation": 1.4, "temperature": 30, "renderSize": 192, "like": as_text(like)}
    found = colored(tab, file, options, [hint])
    wanted = colorizer.colorize(
        file,
        ColorizeOptions(
            saturation=1.4, temperature=30, render_size=192, like=Image.open(io.BytesIO(like))
        ),
        hints=[Hint(**hint)],
    )
    assert agreement(found["result"], wanted) >= 0.999
    plain, hinted = (pixels(colored(tab, file, PLAIN, h)["result"]) for h in ([], [hint]))
    red, green, _ = (hinted - plain)[530:570, 380:420].mean(axis=(0, 1))
    assert green - red > 10


def test_a_colour_photo_and_a_toned_one_are_told_apart(tab, colorizer):
    file = saved(data.chelsea())
    found = colored(tab, file)
    assert found["hasColor"]
    assert np.ptp(pixels(found["gray"]), axis=2).max() > 20
    assert agreement(found["result"], colorizer.colorize(file)) >= 0.999
    toned = (data.camera()[..., None] * np.array([1, 0.86, 0.7])).astype(np.uint8)
    assert not colored(tab, saved(toned))["hasColor"]


@pytest.mark.parametrize(("file_format", "kind"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_metadata_survives_and_the_orientation_is_applied(tab, colorizer, file_format, kind):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "Grandma at the lake"
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        'syntax-ns#"><rdf:Description rdf:about="" Lake="yes"/></rdf:RDF></x:xmpmeta>'
    )
    options = {"xmp": packet.encode(), "comment": b"ours"}
    if file_format == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet)
        options = {"pnginfo": info}
    picture = Image.fromarray(data.camera()[:200, :300])
    file = saved(picture, file_format, exif=exif, dpi=(300, 300), **options)
    found = colored(tab, file, kind=kind)
    assert found["type"] == kind
    assert (found["width"], found["height"]) == (200, 300)
    with Image.open(io.BytesIO(found["result"])) as result:
        assert (result.format, result.size) == (file_format, (200, 300))
        assert dict(result.getexif()) == {0x0112: 1, 0x010E: "Grandma at the lake"}
        assert result.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        xmp = str(result.info.get("xmp") or result.info["XML:com.adobe.xmp"])
        assert 'Lake="yes"' in xmp
        assert "compositeWithTrainedAlgorithmicMedia" in xmp
        assert result.info.get("comment") == (b"ours" if file_format == "JPEG" else None)
    difference = abs(pixels(found["result"]) - np.asarray(colorizer.colorize(file)).astype(int))
    assert difference.mean() < 2.5


def test_what_cannot_be_coloured_is_refused_with_a_reason(tab):
    refused = {
        "not a picture": (b"no picture", PLAIN, []),
        "outside of the photo": (astronaut(50, 50), PLAIN, [{"x": 50, "y": 1, "color": "#ff0000"}]),
        "no colour": (astronaut(50, 50), PLAIN, [{"x": 1, "y": 1, "color": "sky"}]),
        "no colours to take over": (
            astronaut(50, 50),
            PLAIN | {"like": as_text(astronaut(9, 9))},
            [],
        ),
        "54 megapixels": (huge(), PLAIN, []),
    }
    for reason, given in refused.items():
        with pytest.raises(api.Error, match=reason):
            colored(tab, *given)


def huge() -> bytes:
    """The beginning of a PNG file that says that it is large."""
    return saved(np.zeros((1, 1), np.uint8)).replace(
        (1).to_bytes(4, "big") * 2, (9000).to_bytes(4, "big") + (6000).to_bytes(4, "big"), 1
    )


def test_a_second_visit_needs_no_network(browser, site):
    with visited(browser, site) as (tab, server):
        file = astronaut(64, 64)
        first = colored(tab, file)["result"]
        tab.evaluate("navigator.serviceWorker.ready.then(() => null)")
        server.shutdown()
        server.server_close()
        tab.reload()
        tab.wait_for_function("window.ready")
        assert tab.evaluate("crossOriginIsolated")  # so that it can use several threads
        assert colored(tab, file)["result"] == first
        tab.goto(tab.url.replace("test.html", ""))
        assert tab.title()


def test_no_other_folder_is_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StorageError, match="other things"):
        build_site(tmp_path)
    assert (tmp_path / "thesis.txt").is_file()


def test_the_command_says_what_is_missing(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "pix2color.web.site", tmp_path / "out", "--onnxruntime", tmp_path],
        env={"PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert "npm is needed" in result.stderr.splitlines()[-1]
