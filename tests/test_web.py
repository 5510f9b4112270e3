import contextlib
import http.server
import io
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, one_line, pix2color
from PIL import Image
from skimage import data

pytest.importorskip("gradio", reason="no gradio on this machine: pip install 'pix2color[web]'")


WATCHED = """\
import os
import socket

connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo


def told(host):
    if host not in ("127.0.0.1", "::1", "localhost", "0.0.0.0", None):
        with open(os.environ["OUTSIDE"], "a") as file:
            print(host, file=file)


def watched(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        told(address[0])
    return connect(self, address)


def looked_up(host, *args, **kwargs):
    told(host)
    return getaddrinfo(host, *args, **kwargs)


socket.socket.connect, socket.getaddrinfo = watched, looked_up
"""


@contextlib.contextmanager
def served(model: Path, folder: Path, *options: object, password: str | None = None):
    """A server in a process of its own, and its temporary folder; SIGTERM ends it. It must not
    connect to any other machine."""
    folder.mkdir(exist_ok=True)
    watch = folder.with_name("watch")
    watch.mkdir()
    (watch / "sitecustomize.py").write_text(WATCHED)
    outside = watch / "outside"
    own = {"TMPDIR": folder, "OMP_NUM_THREADS": 1, "PYTHONPATH": watch, "OUTSIDE": outside}
    environment = os.environ | {name: str(value) for name, value in own.items()}
    if password:
        environment["PIX2COLOR_PASSWORD"] = password
    command = [sys.executable, "-m", "pix2color", "serve", "--model", model, "--port", 0, *options]
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not outside.exists(), outside.read_text()


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("serve")


@pytest.fixture(scope="module")
def server(pretrained, place):
    with served(pretrained, place / "temporary") as address:
        yield address


@pytest.fixture(scope="module")
def gray(tmp_path_factory) -> Path:
    """A gray photo, and what the command line makes of it in the folder ``colour`` beside it."""
    path = tmp_path_factory.mktemp("gray") / "Großmutter 1932.jpg"
    Image.fromarray(data.astronaut()).convert("L").resize((300, 300)).save(path, quality=95)
    return path


@pytest.fixture(scope="module")
def by_command(gray, pretrained) -> bytes:
    out = gray.with_name("colour")
    assert pix2color("colorize", gray, "--model", pretrained, "--out", out).returncode == 0
    return (out / gray.name).read_bytes()


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


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)


def visits(place: Path) -> list[Path]:
    """What the server holds of its visitors' files."""
    return [path for path in (place / "temporary").rglob("*") if path.is_file()]


def test_a_photo_becomes_colour_as_by_the_command_line(page, gray, by_command):
    upload(page, gray)
    page.wait_for_selector(".card a")
    assert page.inner_text("#status") == "1 of 1 photo coloured"
    with page.expect_download() as download:
        page.click(".card a")
    assert download.value.suggested_filename == gray.name
    file = Path(download.value.path()).read_bytes()
    assert pixels(file).shape == (300, 300, 3)
    assert np.array_equal(pixels(file), pixels(by_command))


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
    folder = next(p.parent for p in visits(place) if p.name == "result").parent
    tab.close()
    end = time.monotonic() + 30
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert not folder.exists()


def call(address: str, photo: bytes, name: str = "old.jpg", headers=(), **fields: object) -> bytes:
    """What POST /api/colorize answers, as to ``curl -F photo=@old.jpg``."""
    with called(address, photo, name, headers, **fields) as answer:
        return answer.read()


def called(address: str, photo: bytes, name: str, headers=(), **fields: object):
    """That call, to be read."""
    edge = "0123456789abcdef"
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    parts.append(
        f'--{edge}\r\nContent-Disposition: form-data; name="photo"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + photo
        + b"\r\n"
    )
    request = urllib.request.Request(
        f"{address}/api/colorize",
        b"".join(parts) + f"--{edge}--\r\n".encode(),
        {"Content-Type": f"multipart/form-data; boundary={edge}", **dict(headers)},
    )
    return urllib.request.urlopen(request, timeout=60)


def refused(function, *args, **kwargs) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        function(*args, **kwargs)
    return caught.value.code, caught.value.read().decode()


def test_the_call_colours_as_the_command_line(server, gray, by_command):
    assert np.array_equal(pixels(call(server, gray.read_bytes())), pixels(by_command))
    plain = pixels(call(server, gray.read_bytes(), saturation=0))
    assert np.ptp(plain, axis=2).max() <= 4
    with called(server, gray.read_bytes(), gray.name) as answer:
        disposition = answer.headers["Content-Disposition"]
    assert urllib.parse.unquote(disposition).endswith(f"utf-8''{gray.name}")


def test_a_wrong_call_is_told(server, gray):
    photo = gray.read_bytes()
    assert refused(call, server, b"no", "old.jpg")[0] == 400
    for fields, told in (
        ({"saturation": "much"}, "saturation: much is no number"),
        ({"saturation": 9}, "saturation: 9 is not within 0 to 3"),
        ({"colour": 1}, "unknown field 'colour'"),
    ):
        code, text = refused(call, server, photo, **fields)
        assert (code, told in text) == (400, True), text
    form = {"Content-Type": "multipart/form-data"}
    request = urllib.request.Request(f"{server}/api/colorize", b"no form", form)
    code, text = refused(urllib.request.urlopen, request)
    assert code == 400
    assert json.loads(text)["error"]


def test_parallel_clients_get_their_own_photos(server):
    def client(number: int) -> None:
        random = np.random.default_rng(number)
        for _ in range(3):
            side = int(random.integers(64, 160))
            blocks = random.integers(30, 220, (4, 4), dtype=np.uint8).repeat(side // 4, 0)
            photo = blocks.repeat(side // 4, 1)
            file = io.BytesIO()
            Image.fromarray(photo).save(file, "PNG")
            colour = pixels(call(server, file.getvalue(), "photo.png"))
            luma = colour @ (0.299, 0.587, 0.114)
            assert luma.shape == photo.shape
            assert abs(luma - photo).mean() < 6

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(client, range(8)))


def test_only_what_the_page_needs_is_answered(server, place):
    def get(path: str, **headers: str) -> None:
        urllib.request.urlopen(urllib.request.Request(server + path, headers=headers), timeout=30)

    get("/")
    for path in (
        f"/gradio_api/file={ROOT / 'setup.cfg'}",
        "/gradio_api/file=http://example.org/",
        "/gradio_api/proxy=http://example.org/",
        "/gradio_api/info",
        "/monitoring",
        "/photos/x/1/result",
        "/static/../../../../../../etc/passwd",
        "/docs",
    ):
        assert refused(get, path)[0] in (403, 404), path
    for host in ("pages.example.org", "["):
        assert refused(get, "/", Host=host)[0] == 421
    large = urllib.request.Request(f"{server}/gradio_api/queue/join", bytes(2**20 + 1))
    assert refused(urllib.request.urlopen, large)[0] == 413
    assert refused(get, "/", Origin="https://pages.example.org")[0] == 403


def test_what_a_request_names_is_neither_read_nor_fetched(server, place, gray):
    asked: list[str] = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{elsewhere.server_port}/photo.jpg"
        before = visits(place)
        for number, path in enumerate((str(gray), str(place / "temporary"), url)):
            photo = {"path": path, "orig_name": "a.jpg", "meta": {"_type": "gradio.FileData"}}
            page = f"hostile{number}"
            wish = {
                "data": [[photo], None, 1, 0, 64, False],
                "fn_index": 0,
                "session_hash": page,
            }
            request = urllib.request.Request(
                f"{server}/gradio_api/queue/join",
                json.dumps(wish).encode(),
                {"Content-Type": "application/json"},
            )
            urllib.request.urlopen(request, timeout=30).close()
            data = f"{server}/gradio_api/queue/data?session_hash={page}"
            with urllib.request.urlopen(data, timeout=30) as answer:
                told = answer.read().decode()
            assert "drop them again" in told, told
        elsewhere.shutdown()
    assert not asked
    assert visits(place) == before


def test_a_length_that_a_request_does_not_keep_to_is_refused(server):
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        raw.sendall(
            f"POST /api/colorize HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 5\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()
        )
        assert raw.recv(100).split()[1] in (b"400", b"411")


def test_a_password_is_asked_for(pretrained, tmp_path, gray):
    def get(address: str, **headers: str) -> int:
        request = urllib.request.Request(address, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status

    key = {"Authorization": "Basic ZmFtaWx5Ok9tYQ=="}  # family:Oma
    wrong = {"Authorization": "Basic ZmFtaWx5Om9tYQ=="}
    options = ("--host", "0.0.0.0", "--user", "family", "--max-file-mb", 1)
    with served(pretrained, tmp_path / "t", *options, password="Oma") as address:
        address = address.replace("0.0.0.0", "127.0.0.1")
        for path in ("/", "/config", "/assets/x", "/photos/x/1/result", "/api/colorize"):
            assert refused(get, address + path)[0] == 401
            assert refused(get, address + path, **wrong)[0] == 401
        assert get(address, **key) == 200
        assert pixels(call(address, gray.read_bytes(), headers=key)).shape == (300, 300, 3)
        code, text = refused(call, address, bytes(2**20 + 1), headers=key)
        assert (code, "larger than 1 MiB" in text) == (413, True)
        code, text = refused(call, address, bytes(21 * 2**20), headers=key)
        assert (code, "too large" in text) == (413, True)
    assert not list((tmp_path / "t").glob("pix2color-serve-*"))


def test_the_password_is_asked_for_on_the_terminal(pretrained, tmp_path):
    words = ["-m", "pix2color", "serve", "--user", "family", "--port", "0", "--model"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process, terminal = pty.fork()
    if process == 0:
        os.execve(sys.executable, [sys.executable, *words, str(pretrained)], environment)
    told = b""

    def until(text: bytes) -> None:
        nonlocal told
        while text not in told:
            told += os.read(terminal, 1000)

    try:
        until(b"Password: ")
        os.write(terminal, b"Oma\n")
        until(b"confirmation: ")
        os.write(terminal, b"Oma\n")
        until(b"ends it)")
        assert b"Oma" not in told
        address = re.search(rb"http://\S+", told).group().decode()
        assert refused(urllib.request.urlopen, address)[0] == 401
        key = {"Authorization": "Basic ZmFtaWx5Ok9tYQ=="}
        with urllib.request.urlopen(urllib.request.Request(address, headers=key)) as answer:
            assert answer.status == 200
    finally:
        os.kill(process, signal.SIGTERM)
        assert os.waitpid(process, 0)[1] == 0
        os.close(terminal)


def test_wrong_starts_are_one_line(pretrained):
    told = one_line(pix2color("serve", "--model", pretrained, "--host", "0.0.0.0"), 2)
    assert "--user" in told
    told = one_line(pix2color("serve", "--model", pretrained, "--user", "family"), 2)
    assert "PIX2COLOR_PASSWORD" in told
    told = one_line(pix2color("serve", "--host", "0.0.0.0", "--user", ""), 2)
    assert "--user: is empty" in told
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = one_line(pix2color("serve", "--model", pretrained, "--port", port), 2)
    assert f"127.0.0.1:{port}" in told
    told = one_line(pix2color("serve", "--model", "nowhere"), 2)
    assert "nowhere" in told
