"""A folder's photos before and after, as one web page that needs nothing else."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from pix2color import __version__
from pix2color.errors import ImageError, UsageError
from pix2color.files import replacing
from pix2color.imaging.io import encode_picture, read_rgb

TEMPLATES = Path(__file__).with_name("templates")
_LONG_SIDE = 960
_QUALITY = 82
_GENERATOR = '<meta name="generator" content="pix2color'

SLIDER_STYLE = """\
.pair { position: relative; overflow: hidden; border-radius: .5rem; --at: 50%;
  box-shadow: 0 1px 6px rgb(0 0 0 / .25); }
.pair img { display: block; width: 100%; height: auto; }
.pair .before { position: absolute; inset: 0; height: 100%;
  clip-path: inset(0 calc(100% - var(--at)) 0 0); }
.pair::after { content: ""; position: absolute; top: 0; bottom: 0; left: var(--at); width: 2px;
  margin-left: -1px; background: #fff; box-shadow: 0 0 4px rgb(0 0 0 / .6); pointer-events: none; }
.pair input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0;
  cursor: ew-resize; touch-action: pan-y; }
.pair:focus-within { outline: 3px solid #3b82f6; outline-offset: 2px; }"""
_HEAD = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{_GENERATOR} {__version__}">
<title>Before and after</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
body {{ margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 110rem;
  background: light-dark(#faf9f7, #161514); color: light-dark(#222, #ddd); }}
h1 {{ font-weight: 600; font-size: 1.5rem; margin: 0; }}
header p {{ margin: .25rem 0 2rem; opacity: .7; }}
main {{ display: grid; gap: 2rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); }}
figure {{ margin: 0; }}
{SLIDER_STYLE}
figcaption {{ margin-top: .5rem; font-size: .9rem; overflow-wrap: anywhere; opacity: .8; }}
</style>
<header><h1>Before and after</h1>
<p>Drag across a picture, or use the arrow keys. The colours were made by software.</p></header>
<main>
"""
_SLIDER = """<div class="pair">
<img class="after" loading="lazy" width="{width}" height="{height}" alt="{name}, in colour"
 src="{after}">
<img class="before" loading="lazy" width="{width}" height="{height}" alt="{name}, as it was"
 src="{before}">
<input type="range" min="0" max="100" value="50" aria-label="{name}: how much is as it was"
 oninput="this.parentNode.style.setProperty('--at', this.value + '%')">
</div>"""
_TAIL = "</main>\n</html>\n"


def check_place(path: Path) -> None:
    """Make sure that a page may be written.

    Raises:
        UsageError: there is something else.
    """
    if path.exists() and (path.is_dir() or _GENERATOR not in path.read_text("utf-8", "replace")):
        raise UsageError(f"{path}: is there and no page of ours; move it away")


def write_gallery(path: Path, pairs: Iterable[tuple[str, Path, Path]]) -> int:
    """Write the page; never leaves half of it.

    Args:
        path: of the HTML file.
        pairs: name, photo and colour version of each; what cannot be read is left out.

    Returns:
        how many pairs are on it.
    """
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="replace") as page,  # of odd file names
    ):
        page.write(_HEAD)
        for name, photo, colored in pairs:
            try:
                after, before = _thumbnail(colored), _thumbnail(photo)
            except ImageError:  # taken away since it was coloured
                continue
            pair = slider(name, after.size, data_url(before, _QUALITY), data_url(after, _QUALITY))
            page.write(f"<figure>{pair}<figcaption>{html.escape(name)}</figcaption></figure>\n")
            count += 1
        page.write(_TAIL)
    return count


def slider(name: str, size: tuple[int, int], before: str, after: str) -> str:
    """HTML of two pictures, one over the other, that a slider parts; needs ``SLIDER_STYLE``.

    Args:
        name: what it shows, for those who cannot see it.
        size: width and height in pixels.
        before, after: addresses of the pictures.
    """
    width, height = size
    name = html.escape(name, quote=True)
    return _SLIDER.format(name=name, width=width, height=height, before=before, after=after)


def data_url(picture: Image.Image, quality: int) -> str:
    """A picture within the page itself, as JPEG."""
    data = encode_picture(picture, "JPEG", quality, {"optimize": True})
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


def _thumbnail(path: Path) -> Image.Image:
    picture = read_rgb(path, min_side=_LONG_SIDE)
    picture.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.LANCZOS)
    return picture
