"""What the web page shows, as HTML."""

from __future__ import annotations

import html
from pathlib import Path

from pix2color import __version__
from pix2color.html.gallery import SLIDER_STYLE, slider
from pix2color.web.visits import AT_WORK, COLOURED, FAILED, WAITING, Picture, Visit

HEAD = f"""<header class="head"><h1>pix2color</h1>
<p>Drop old black-and-white photos below. They are coloured on this computer, keep their size and
every detail, and are forgotten when you close the page.</p>
<p class="small">Version {__version__}. The colours are a guess: plausible, not what once was.</p>
</header>"""


def asset(name: str) -> str:
    """The style or the script of the page."""
    text = (Path(__file__).with_name("page") / name).read_text(encoding="utf-8")
    return text + SLIDER_STYLE if name.endswith(".css") else text


def status(visit: Visit | None) -> str:
    """One line that says how far it is; read out by screen readers as it changes."""
    pictures = list(visit.pictures.values()) if visit else []
    if visit is None or not pictures:
        return _status("")
    notice = problem(f"The mood was not taken over: {visit.notice}") if visit.notice else ""
    count = {s: sum(p.status == s for p in pictures) for s in (COLOURED, FAILED, WAITING, AT_WORK)}
    told = f"{count[COLOURED]} of {_photos(len(pictures))} coloured"
    if count[FAILED]:
        told += f", {count[FAILED]} not, for the reason beside it"
    if count[WAITING] or count[AT_WORK]:
        return _status(f"{told} …") + notice
    link = f'<a class="all" href="/photos/{visit.token}/all.zip" download>Download all (ZIP)</a>'
    return _status(told) + (link if count[COLOURED] > 1 else "") + notice


def problem(text: str) -> str:
    """A line that says what went wrong with all of it."""
    return f'<p role="alert" class="failed">{html.escape(text)}</p>'


def gallery(visit: Visit) -> str:
    """All photos: slider and download, or how far it is, or what went wrong."""
    cards = "\n".join(_card(visit, picture) for picture in visit.pictures.values())
    return f'<div class="cards">{cards}</div>'


def _card(visit: Visit, picture: Picture) -> str:
    name = html.escape(picture.name)
    return (
        f'<figure class="card" data-number="{picture.number}">{_shown(visit, picture)}'
        f'<figcaption><span class="name">{name}</span>{_below(visit, picture)}</figcaption>'
        "</figure>"
    )


def _shown(visit: Visit, picture: Picture) -> str:
    if picture.folder is None or picture.status == FAILED:
        return ""
    # Until the next version is ready, the one before stays in view.
    before, after = (_address(visit, picture, kind) for kind in ("before", "after"))
    return slider(picture.name, picture.size, before, after)


def _below(visit: Visit, picture: Picture) -> str:
    if picture.status == COLOURED:
        name = html.escape(picture.name, quote=True)
        address = _address(visit, picture, "result")
        return f'<a href="{address}" download aria-label="Download {name}">Download</a>'
    if picture.status == FAILED:
        return f'<span class="failed">{html.escape(picture.reason)}</span>'
    return (
        f'<span class="busy">{"colouring …" if picture.status == AT_WORK else "waiting …"}</span>'
    )


def _address(visit: Visit, picture: Picture, kind: str) -> str:
    version = picture.folder.name if picture.folder else ""
    return f"/photos/{visit.token}/{picture.number}/{kind}?{version}"


def _status(text: str) -> str:
    return f'<p role="status" aria-live="polite">{html.escape(text)}</p>'


def _photos(count: int) -> str:
    return "1 photo" if count == 1 else f"{count} photos"
