"""The page in a real browser."""

import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from serving import pixels, stored_files

# Its fixtures take long to make: once, not in every process of the tests.
pytestmark = pytest.mark.xdist_group("web")

pytest.importorskip("gradio", reason="no gradio on this machine: pip install 'pix2color[web]'")


@pytest.fixture
def page(browser, server):
    """The page in a window; nothing but this machine can be reached."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    outside: list[str] = []

    def route(asked):
        if asked.request.url.startswith(server):
            asked.continue_()
        else:
            outside.append(asked.request.url)
            asked.abort()

    tab.route(lambda url: url.startswith(("http:", "https:", "ws:", "wss:")), route)
    tab.goto(server)
    tab.wait_for_selector("#photos input[type=file]", state="attached")
    yield tab
    tab.close()
    assert not outside


def upload(tab, *paths: Path) -> None:
    tab.set_input_files("#photos input[type=file]", [str(path) for path in paths])


def test_a_photo_becomes_colour_as_by_the_command_line(page, gray, by_command):
    upload(page, gray)
    page.wait_for_selector(".card a")
    assert page.inner_text("#status") == "1 of 1 photo coloured"
    with page.expect_download() as download:
        page.click(".card a")
    assert download.value.suggested_filename == gray.name
    file = Path(download.value.path()).read_bytes()
    assert pixels(file).shape == (300, 300, 3)
    assert file == by_command


def test_saturation_needs_no_second_upload_and_the_slider_stays_where_it_is(page, gray):
    upload(page, gray)
    page.wait_for_selector(".card a")
    page.focus(".pair input")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.input_value(".pair input") == "55"
    before = page.get_attribute(".pair .after", "src")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    number = page.get_by_label("number input for Saturation")
    number.fill("0")
    number.press("Enter")
    page.wait_for_function(
        "old => { const after = document.querySelector('.pair .after');"
        " return after.src && !after.src.endsWith(old) && document.querySelector('.card a') }",
        arg=before,
    )
    assert page.input_value(".pair input") == "55"
    assert not any("/upload" in url for url in asked)
    with page.expect_download() as download:
        page.click(".card a")
    assert np.ptp(pixels(Path(download.value.path()).read_bytes()), axis=2).max() <= 4


def test_twenty_photos_and_a_broken_one(page, gray, tmp_path):
    paths = []
    for i in range(20):
        folder = tmp_path / str(i)
        folder.mkdir()
        paths.append(folder / ("photo.png" if i < 2 else f"photo-{i}.png"))
        Image.open(gray).resize((64 + i, 96)).save(paths[-1])
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(gray.read_bytes()[:100])
    upload(page, *paths, broken)
    page.wait_for_selector("#status a", timeout=60_000)
    assert (
        page.inner_text("#status p") == "20 of 21 photos coloured, 1 not, for the reason beside it"
    )
    card = page.locator(".card", has_text="broken.jpg")
    assert "cannot be read" in card.inner_text()
    assert card.locator("a").count() == 0
    with page.expect_download() as download:
        page.click("#status a")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == 20
        assert {"photo.png", "photo (2).png", "photo-19.png"} <= set(archive.namelist())
        assert pixels(archive.read("photo-19.png")).shape == (96, 83, 3)


def test_a_reference_photo_gives_its_mood(page, gray, tmp_path):
    upload(page, gray)
    page.wait_for_selector(".card a")
    before = page.get_attribute(".pair .after", "src")
    reference = tmp_path / "blue.png"
    noise = np.random.default_rng(0).normal((40, 60, 200), 30, (64, 64, 3))
    Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(reference)
    page.get_by_text("More", exact=True).click()
    page.set_input_files("#reference input[type=file]", str(reference))
    page.wait_for_function(
        "old => !document.querySelector('.pair .after').src.endsWith(old)"
        " && document.querySelector('.card a')",
        arg=before,
    )
    with page.expect_download() as download:
        page.click(".card a")
    red, _, blue = pixels(Path(download.value.path()).read_bytes()).mean((0, 1))
    assert blue > red + 30


def test_two_pages_may_bring_the_same_photo(page, browser, server, gray):
    other = browser.new_page()
    other.goto(server)
    other.wait_for_selector("#photos input[type=file]", state="attached")
    upload(page, gray)
    upload(other, gray)
    for tab in (page, other):
        tab.wait_for_selector(".card a")
        assert tab.inner_text("#status") == "1 of 1 photo coloured"
    other.close()


def test_a_gray_reference_photo_is_told_and_the_photos_are_coloured(page, gray):
    page.get_by_text("More", exact=True).click()
    page.set_input_files("#reference input[type=file]", str(gray))
    upload(page, gray)
    page.wait_for_selector(".card a")
    assert "mood was not taken over" in page.inner_text("#status")
    assert "/tmp" not in page.inner_text("#status")


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(page, gray, width):
    page.set_viewport_size({"width": width, "height": 800})
    upload(page, gray)
    page.wait_for_selector(".card a")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


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
def test_it_can_be_read_and_used_without_a_mouse(browser, server, gray, tmp_path, scheme):
    tab = browser.new_page(viewport={"width": 360, "height": 800}, color_scheme=scheme)
    tab.goto(server)
    tab.wait_for_selector("#photos input[type=file]", state="attached")
    with tab.expect_file_chooser() as chooser:
        for _ in range(10):
            tab.keyboard.press("Tab")
            if tab.evaluate("document.activeElement.closest('#photos')"):
                break
        tab.keyboard.press("Enter")
    (tmp_path / "broken.jpg").write_text("no photo")
    chooser.value.set_files([gray, tmp_path / "broken.jpg"])
    tab.get_by_role("status").get_by_text("1 of 2 photos coloured, 1 not").wait_for()
    for name in ("Saturation", "Temperature", "Render size"):
        assert tab.get_by_role("slider", name=name).count()
    for text in (".head p", ".head .small", ".failed", "#status p", ".card a"):
        assert tab.eval_on_selector(text, CONTRAST) >= 4.5, text
    reached = []
    with tab.expect_download() as download:
        for _ in range(40):
            tab.keyboard.press("Tab")
            reached.append(tab.evaluate("document.activeElement.ariaLabel"))
            if reached[-1] == f"Download {gray.name}":
                break
        tab.keyboard.press("Enter")
    assert any(gray.name in (label or "") for label in reached[:-1])  # the slider of its pair
    assert download.value.suggested_filename == gray.name
    tab.close()


def test_nothing_is_kept_when_the_page_is_closed(browser, server, place, gray):
    tab = browser.new_page()
    tab.goto(server)
    tab.wait_for_selector("#photos input[type=file]", state="attached")
    upload(tab, gray)
    tab.wait_for_selector(".card a")
    folder = next(p.parent for p in stored_files(place) if p.name == "result").parent
    tab.close()
    end = time.monotonic() + 30
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not folder.exists()
