"""The page in a real browser, with both engines."""

import base64
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from serving import pixels, served, site_served
from skimage import data

from pix2color import Colorizer

pytest.importorskip("starlette", reason="no starlette: pip install 'pix2color[web]'")


# Its fixtures take long to make: once, not in every process of the tests.
@pytest.fixture(
    scope="module",
    params=[
        pytest.param("server", marks=pytest.mark.xdist_group("page")),
        pytest.param("site", marks=pytest.mark.xdist_group("site")),
    ],
)
def engine(request) -> str:
    """What colours the photos: this machine, or the browser itself."""
    return request.param


@pytest.fixture(scope="module")
def address(engine, tmp_path_factory):
    """The page with the model that ships: it takes hints, and says where it doubts."""
    place = tmp_path_factory.mktemp("page")
    if engine == "server":
        with served("default", place / "temporary") as found:
            yield found
    else:
        with site_served(place / "site") as found:
            yield found


@pytest.fixture
def open_page(browser, address):
    """Opens the page in a window; nothing but this machine can be reached, nothing goes wrong."""
    complaints: list[str] = []
    tabs = []

    def opened(width=1280, height=860, **options):
        tab = browser.new_page(viewport={"width": width, "height": height}, **options)
        tabs.append(tab)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on(
            "request",
            lambda asked: (
                asked.url.startswith((address, "blob:", "data:")) or complaints.append(asked.url)
            ),
        )
        tab.goto(address)
        tab.wait_for_selector("body.ready")
        return tab

    yield opened
    for tab in tabs:
        tab.close()
    assert not complaints


@pytest.fixture
def page(open_page):
    return open_page()


@pytest.fixture(scope="module")
def cat(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("cat") / "chelsea.png"
    Image.fromarray(data.chelsea()).convert("L").save(path)
    return path


def add(tab, *paths: Path, colored: int) -> None:
    tab.set_input_files("#files", [str(path) for path in paths])
    settle(tab, colored)


def settle(tab, colored: int = 1) -> None:
    """Wait until so many photos are coloured."""
    tab.locator("#film [data-state=done]").nth(colored - 1).wait_for(timeout=60_000)


def downloaded(tab, button: str = "Save this photo"):
    with tab.expect_download() as download:
        tab.get_by_role("button", name=button).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def shown(tab) -> np.ndarray:
    """The coloured picture in the large view."""
    # The page may not fetch blobs, by its own policy; a picture can be drawn.
    read = """image => {
      const canvas = document.createElement('canvas');
      canvas.width = image.naturalWidth;
      canvas.height = image.naturalHeight;
      canvas.getContext('2d').drawImage(image, 0, 0);
      return canvas.toDataURL() }"""
    url = tab.locator("#after img").evaluate(read)
    return pixels(base64.b64decode(url.partition(",")[2]))


def tap(tab, x: float, y: float) -> None:
    """Click at these shares of the photo in the large view."""
    box = tab.locator("#after img").bounding_box()
    tab.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def test_a_photo_becomes_colour_as_by_the_command_line(page, cat, engine):
    add(page, cat, colored=1)
    name, file = downloaded(page)
    assert name == cat.name
    wanted = Colorizer.load("default").colorize_file(cat)
    if engine == "server":
        assert file == wanted
    assert (np.abs(pixels(file) - pixels(wanted)) <= 2).mean() >= 0.999


def test_a_spot_colours_a_thing_and_can_be_undone_saved_and_loaded(page, open_page, cat):
    add(page, cat, colored=1)
    before = shown(page)
    tap(page, 0.6, 0.75)
    page.get_by_role("button", name="teal").click()
    page.get_by_role("button", name="Mark 1: teal").first.wait_for()
    page.wait_for_timeout(50)
    settle(page)
    after = shown(page)
    place = (int(0.75 * 300), int(0.6 * 451))
    moved = (after - before)[place]
    assert moved[2] - moved[0] > 20  # bluer, and less red
    page.get_by_role("button", name="Done").click()

    page.locator("#known summary").click()
    name, spots = downloaded(page, "Keep my marks in a file")
    assert name == "chelsea.hints.json"
    (spot,) = json.loads(spots)
    assert spot["color"] == "#1f7a7a"
    assert abs(spot["x"] - 0.6 * 451) < 3
    assert abs(spot["y"] - 0.75 * 300) < 3

    page.get_by_role("button", name="Undo").click()
    settle(page)
    page.wait_for_timeout(300)
    assert np.abs(shown(page) - before).mean() < 0.5
    page.get_by_role("button", name="Redo").click()
    settle(page)
    page.wait_for_timeout(300)
    assert np.abs(shown(page) - after).mean() < 0.5

    other = open_page()
    add(other, cat, colored=1)
    file = {"name": name, "mimeType": "application/json", "buffer": spots}
    other.set_input_files("#marks-file", file)
    other.locator(".spot:not(.doubt)").wait_for()
    settle(other)
    other.wait_for_timeout(300)
    assert np.abs(shown(other) - after).mean() < 0.5


def test_a_doubt_is_offered_and_taken_up_by_keyboard(page, cat):
    add(page, cat, colored=1)
    doubt = page.locator(".spot.doubt").first
    doubt.wait_for()
    doubt.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#chooser:not([hidden])")
    page.keyboard.press("Tab")  # from fair to rosy
    page.keyboard.press("Enter")
    spot = page.locator(".spot:not(.doubt)")
    assert "rosy" in spot.get_attribute("aria-label")
    place = spot.evaluate("spot => spot.style.left")
    spot.focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".spot:not(.doubt)").evaluate("spot => spot.style.left") != place
    page.locator(".spot:not(.doubt)").focus()
    page.keyboard.press("Delete")
    page.locator(".spot:not(.doubt)").wait_for(state="detached")


def test_a_spot_is_dragged_and_a_colour_taken_from_another_photo(page, cat, tmp_path):
    red = np.zeros((90, 120, 3), np.uint8) + np.uint8([170, 40, 40])
    red[::2] //= 2  # a plain area would be taken for a toned photo
    red[:, :40] = [40, 60, 170]
    Image.fromarray(red).save(tmp_path / "red.png")
    add(page, cat, tmp_path / "red.png", colored=1)
    page.locator("#film [data-state=color]").wait_for()
    tap(page, 0.3, 0.5)
    page.get_by_role("button", name="Take from a photo").click()
    page.locator("#film .open").nth(1).click()
    tap(page, 0.8, 0.5)
    spot = page.locator(".spot:not(.doubt)")
    spot.wait_for()
    color = spot.evaluate("spot => getComputedStyle(spot).backgroundColor")
    red, green, blue = map(int, re.findall(r"\d+", color))
    assert red > green + 40
    assert red > blue + 40
    box = spot.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 20, steps=4)
    page.mouse.up()
    moved = page.locator(".spot:not(.doubt)").bounding_box()
    assert abs(moved["x"] - box["x"] - 60) < 3
    assert abs(moved["y"] - box["y"] - 20) < 3


def test_a_slider_changes_the_picture_of_one_photo_or_of_all(page, cat, gray):
    add(page, cat, gray, colored=2)
    slider = page.get_by_role("slider", name="Strength of colour")
    slider.fill("0")
    settle(page, 2)
    page.wait_for_timeout(400)
    assert np.ptp(shown(page), axis=2).max() <= 6
    page.locator("#film .open").nth(1).click()
    assert slider.input_value() == "1"
    slider.fill("0.5")
    page.get_by_role("button", name="Use this look for all photos").click()
    settle(page, 2)
    page.locator("#film .open").nth(0).click()
    assert slider.input_value() == "0.5"


def test_a_reference_photo_gives_its_mood(page, cat, tmp_path):
    add(page, cat, colored=1)
    noise = np.random.default_rng(0).normal((40, 60, 200), 30, (64, 64, 3))
    Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(tmp_path / "blue.png")
    page.locator("#look summary").click()
    page.set_input_files("#like-file", str(tmp_path / "blue.png"))
    page.get_by_role("button", name="blue.png").wait_for()
    settle(page)
    _, file = downloaded(page)
    red, _, blue = pixels(file).mean((0, 1))
    assert blue > red + 30


def test_twenty_photos_a_broken_one_and_one_that_has_colour(page, engine, gray, tmp_path):
    paths = []
    for i in range(20):
        folder = tmp_path / str(i)
        folder.mkdir()
        paths.append(folder / ("photo.png" if i < 2 else f"photo-{i}.png"))
        Image.open(gray).resize((64 + i, 96)).save(paths[-1])
    broken, colour = tmp_path / "broken.jpg", tmp_path / "colour.jpg"
    broken.write_bytes(gray.read_bytes()[:100])
    Image.fromarray(data.chelsea()).save(colour)
    add(page, *paths, broken, colour, colored=20)
    assert page.inner_text("#progress") == "20 of 22 coloured, 1 not"
    page.locator("#film .open[title^=broken]").click()
    reason = "annot be read" if engine == "server" else "not a picture"
    assert reason in page.inner_text("#notice")
    assert page.get_by_role("button", name="Save this photo").is_disabled()
    page.locator("#film .open[title^=colour]").click()
    page.get_by_role("button", name="Colour it anyway").click()
    settle(page, 21)
    _, file = downloaded(page, "Save all photos (ZIP)")
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 21
        assert {"photo.png", "photo (2).png", "photo-19.png"} <= set(archive.namelist())
        assert pixels(archive.read("photo-19.png")).shape == (96, 83, 3)


def test_a_photo_is_dropped_and_pasted(page, gray):
    give = """([type, name, bytes]) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/jpeg'}));
      const event = type === 'drop' ? new DragEvent('drop', {dataTransfer: data, cancelable: true})
        : new ClipboardEvent('paste', {clipboardData: data});
      window.dispatchEvent(event) }"""
    for count, (type_, name) in enumerate((("drop", "a.jpg"), ("paste", "b.jpg")), start=1):
        page.evaluate(give, [type_, name, list(gray.read_bytes())])
        settle(page, count)


def test_a_photo_is_removed_and_brought_back_with_its_marks(page, cat, gray):
    add(page, cat, gray, colored=2)
    tap(page, 0.7, 0.6)
    page.get_by_role("button", name="wine").click()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Remove chelsea.png").click()
    page.locator("#film li").nth(1).wait_for(state="detached")
    page.get_by_role("alert").get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Mark 1: wine").first.wait_for()
    settle(page, 2)


def test_a_server_that_stops_is_told_and_what_failed_is_tried_again(
    browser, engine, gray, tmp_path, cat
):
    if engine == "site":
        pytest.skip("the site has no server that could stop")
    tab = browser.new_page()
    for name in "ab":
        (tmp_path / name).mkdir()
    with served("default", tmp_path / "a" / "temporary") as address:
        tab.goto(address)
        tab.wait_for_selector("body.ready")
        add(tab, gray, cat, colored=2)
    tab.get_by_role("button", name="Save this photo").click()
    tab.get_by_role("alert").get_by_text("has stopped").wait_for()
    tab.get_by_role("button", name="Close").click()
    slider = tab.get_by_role("slider", name="Strength of colour")
    slider.fill("0.5")
    tab.locator("#film [data-state=failed]").wait_for()
    assert tab.locator("#notice").get_by_text("has stopped").count()
    port = address.rpartition(":")[2]
    with served("default", tmp_path / "b" / "temporary", "--port", port):
        tab.get_by_role("button", name="Try again").click()
        settle(tab, 2)
    tab.close()


def test_wrong_marks_and_a_gray_reference_are_told_and_change_nothing(page, cat, gray):
    add(page, cat, colored=1)
    before = shown(page)
    for content in ('[{"x": 9000, "y": 1, "color": "#123456"}]', "{}", "no"):
        file = {"name": "chelsea.hints (1).json", "mimeType": "application/json"}
        page.set_input_files("#marks-file", file | {"buffer": content.encode()})
        page.get_by_role("alert").get_by_text("marks").wait_for()
        page.get_by_role("button", name="Close").click()
    page.set_input_files("#like-file", str(gray))
    page.get_by_role("alert").get_by_text("black-and-white").wait_for()
    assert np.array_equal(shown(page), before)
    assert page.locator("#film [data-state=done]").count() == 1


def test_zoom_pan_and_the_divider(page, cat):
    add(page, cat, colored=1)
    width = page.locator("#after img").bounding_box()["width"]
    page.get_by_role("button", name="Zoom in").click()
    box = page.locator("#after img").bounding_box()
    assert box["width"] == pytest.approx(1.5 * width, rel=0.01)
    view = page.locator("#view").bounding_box()
    x, y = view["x"] + 400, view["y"] + 200
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y, steps=3)
    page.mouse.up()
    assert page.locator("#after img").bounding_box()["x"] == pytest.approx(box["x"] + 50, abs=2)
    assert not page.locator(".spot:not(.doubt)").count()  # a pan is no tap
    page.mouse.click(view["x"] + 0.2 * view["width"], y)  # where the divider is
    page.locator(".spot:not(.doubt)").wait_for()
    page.keyboard.press("Escape")
    page.locator("#view").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#after img").bounding_box()["x"] < box["x"]
    page.get_by_role("slider", name="Compare before and after").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.locator("#view").evaluate("v => v.style.getPropertyValue('--at')") == "25%"


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(open_page, gray, width):
    tab = open_page(width, 800, has_touch=width == 360)
    add(tab, gray, colored=1)
    assert tab.evaluate("() => document.documentElement.scrollWidth") <= width
    if width == 360:
        box = tab.locator("#after img").bounding_box()
        tab.touchscreen.tap(box["x"] + box["width"] / 3, box["y"] + box["height"] / 3)
        tab.get_by_role("button", name="sky").click()
        settle(tab)
        assert tab.locator("#chooser").bounding_box()["y"] > 300  # the photo stays in view
        assert tab.evaluate("() => document.documentElement.scrollWidth") <= width


CONTRAST = """element => {
  const numbers = color => color.match(/[0-9.]+/g).map(Number);
  let behind = element;
  while (numbers(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
  const light = color => numbers(color).slice(0, 3).map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const a = light(getComputedStyle(element).color);
  const b = light(getComputedStyle(behind).backgroundColor);
  return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_and_used_without_a_mouse(open_page, gray, scheme):
    tab = open_page(color_scheme=scheme)
    for text in (".drop h2", ".drop p", "#privacy", "#choose"):
        assert tab.eval_on_selector(text, CONTRAST) >= 4.5, text
    with tab.expect_file_chooser() as chooser:
        for _ in range(5):
            tab.keyboard.press("Tab")
            if tab.evaluate("() => document.activeElement.id") == "choose":
                break
        tab.keyboard.press("Enter")
    chooser.value.set_files([gray])
    settle(tab)
    for text in ("#progress", "#download", "#download-all", "#known-help", "#add", "#film .name"):
        assert tab.eval_on_selector(text, CONTRAST) >= 4.5, text
    for name in ("Strength of colour", "Cooler or warmer", "Compare before and after"):
        assert tab.get_by_role("slider", name=name).count() == 1
    assert tab.get_by_role("button", name=f"{gray.name}, coloured").count()
    with tab.expect_download() as download:
        for _ in range(40):
            tab.keyboard.press("Tab")
            if tab.evaluate("() => document.activeElement.id") == "download":
                break
        tab.keyboard.press("Enter")
    assert download.value.suggested_filename == gray.name
