"""The HTML of the web page."""

from __future__ import annotations

import html
from pathlib import Path

from pix2color import __version__
from pix2color.html.gallery import SLIDER_STYLE, slider
from pix2color.web.sessions import AT_WORK, COLORED, FAILED, WAITING, Picture, Session

HEAD = f"""<header class="head"><h1>pix2color</h1>
<p>Drop old black-and-white photos below. They are coloured on this computer, keep their size and
every detail, and are forgotten when you close the page.</p>
<p class="small">Version {__version__}. The colours are a guess: plausible, not what once was.</p>
</header>"""


def asset(name: str) -> str:
    """Return the style or the script of the page."""
    text = (Path(__file__).with_name("page") / name).read_text(encoding="utf-8")
    return text + SLIDER_STYLE if name.endswith(".css") else text


def status(session: Session | None) -> str:
    """Return one line that says how far it is; screen readers read it out as it changes."""
    pictures = list(session.pictures.values()) if session else []
    if session is None or not pictures:
        return _status("")
    notice = problem(f"The mood was not taken over: {session.notice}") if session.notice else ""
    count = {s: sum(p.status == s for p in pictures) for s in (COLORED, FAILED, WAITING, AT_WORK)}
    text = f"{count[COLORED]} of {_photos(len(pictures))} coloured"
    if count[FAILED]:
        text += f", {count[FAILED]} not, for the reason beside it"
    if count[WAITING] or count[AT_WORK]:
        return _status(f"{text} …") + notice
    link = f'<a class="all" href="/photos/{session.token}/all.zip" download>Download all (ZIP)</a>'
    return _status(text) + (link if count[COLORED] > 1 else "") + notice


def problem(text: str) -> str:
    """Return a line that says what went wrong with all photos."""
    return f'<p role="alert" class="failed">{html.escape(text)}</p>'


def gallery(session: Session) -> str:
    """Return all photos: slider and download, or how far it is, or what went wrong."""
    cards = "\n".join(_card(session, picture) for picture in session.pictures.values())
    return f'<div class="cards">{cards}</div>'


def _card(session: Session, picture: Picture) -> str:
    name = html.escape(picture.name)
    return (
        f'<figure class="card" data-number="{picture.number}">{_shown(session, picture)}'
        f'<figcaption><span class="name">{name}</span>{_below(session, picture)}</figcaption>'
        "</figure>"
    )


def _shown(session: Session, picture: Picture) -> str:
    if picture.folder is None or picture.status == FAILED:
        return ""
    # Until the next version is ready, the one before stays in view.
    before, after = (_address(session, picture, kind) for kind in ("before", "after"))
    return slider(picture.name, picture.size, before, after)


def _below(session: Session, picture: Picture) -> str:
    if picture.status == COLORED:
        name = html.escape(picture.name, quote=True)
        address = _address(session, picture, "result")
        return f'<a href="{address}" download aria-label="Download {name}">Download</a>'
    if picture.status == FAILED:
        return f'<span class="failed">{html.escape(picture.reason)}</span>'
    return (
        f'<span class="busy">{"colouring …" if picture.status == AT_WORK else "waiting …"}</span>'
    )


def _address(session: Session, picture: Picture, kind: str) -> str:
    version = picture.folder.name if picture.folder else ""
    return f"/photos/{session.token}/{picture.number}/{kind}?{version}"


def _status(text: str) -> str:
    return f'<p role="status" aria-live="polite">{html.escape(text)}</p>'


def _photos(count: int) -> str:
    return "1 photo" if count == 1 else f"{count} photos"
