"""The web page, as gradio draws it, within the server's application."""

from __future__ import annotations

from collections.abc import AsyncIterator

import gradio
from fastapi import FastAPI

from pix2color.errors import Pix2colorError
from pix2color.imaging.io import PHOTO_SUFFIXES
from pix2color.inference.options import MAX_SATURATION, MAX_TEMPERATURE, SHARED_RENDER_SIZES
from pix2color.web import markup
from pix2color.web.coloring_queue import ColoringQueue
from pix2color.web.routes import add_routes

_MOST_PAGES = 200  # at work at the same time


def mount_page(queue: ColoringQueue) -> FastAPI:
    """Return the application: our own addresses, and the page at ``/``."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    add_routes(app, queue)
    return gradio.mount_gradio_app(
        app,
        _page(queue),
        path="/",
        footer_links=[],
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        # Calm colours and the system's own fonts: nothing is fetched from elsewhere.
        theme=gradio.themes.Base(
            primary_hue="blue",
            neutral_hue="stone",
            font=["system-ui", "sans-serif"],
            font_mono=["ui-monospace", "monospace"],
        ).set(body_text_color_subdued="*neutral_600"),  # the theme's own is too pale to read
        css=markup.asset("web.css"),
        head=f"<script>{markup.asset('web.js')}</script>",
    )


def _page(queue: ColoringQueue) -> gradio.Blocks:
    """Return gradio's description of the page."""
    with gradio.Blocks(title="pix2color", analytics_enabled=False) as blocks:
        gradio.HTML(markup.HEAD)
        photos = gradio.File(
            label="Black-and-white photos",
            file_count="multiple",
            file_types=sorted(PHOTO_SUFFIXES),
            elem_id="photos",
        )
        with gradio.Accordion("Adjust the colours", open=True), gradio.Row():
            saturation = gradio.Slider(0, MAX_SATURATION, 1, step=0.05, label="Saturation")
            temperature = gradio.Slider(
                *(-MAX_TEMPERATURE, MAX_TEMPERATURE, 0), step=5, label="Temperature, cool to warm"
            )
            # Within the slider, or touching it would change it.
            own = min(queue.colorizer.render_size(), SHARED_RENDER_SIZES[1])
            render_size = gradio.Slider(
                *(min(64, own), max(512, own), own),
                step=16,
                label="Render size: larger sees detail, smaller sees the whole",
            )
        with gradio.Accordion("More", open=False), gradio.Row():
            like = gradio.File(
                label="A colour photo whose mood to take over",
                file_types=sorted(PHOTO_SUFFIXES),
                elem_id="reference",
            )
            force = gradio.Checkbox(label="Colour photos that have colour, too")
        status = gradio.HTML(markup.status(None), elem_id="status")
        gallery = gradio.HTML("", elem_id="gallery", js_on_load=None)

        async def refresh(
            uploads: list[dict] | None,
            reference: dict | None,
            saturation: float,
            temperature: float,
            render_size: float,
            force: bool,
            request: gradio.Request,
        ) -> AsyncIterator[tuple[str, str]]:
            try:
                async for session in queue.refresh(
                    str(request.session_hash),
                    [str(file.get("path")) for file in uploads or []],
                    like=str(reference.get("path")) if reference else None,
                    saturation=float(saturation),
                    temperature=float(temperature),
                    render_size=int(render_size),
                    force=bool(force),
                ):
                    yield markup.status(session), markup.gallery(session)
            except Pix2colorError as error:
                yield markup.problem(str(error)), gradio.skip()

        def leave(request: gradio.Request) -> None:
            queue.sessions.end(str(request.session_hash))

        gradio.on(
            [
                *(photos.upload, photos.delete, photos.clear, like.upload, like.clear),
                *(saturation.change, temperature.change, render_size.change, force.change),
            ],
            refresh,
            [photos, like, saturation, temperature, render_size, force],
            [status, gallery],
            preprocess=False,
            show_progress="hidden",
            trigger_mode="multiple",
            api_visibility="private",
        )
        blocks.unload(leave)
    # What a page calls a file's path is the handle of an upload of ours (``routes``). Gradio would
    # copy any file that a request names, or fetch it from the network.
    for files in (photos, like):
        files.async_move_resource_to_block_cache = _as_it_is
    blocks.queue(max_size=_MOST_PAGES, default_concurrency_limit=None)
    blocks._queue.max_thread_count = _MOST_PAGES  # else forty pages keep all others waiting
    return blocks


async def _as_it_is(handle: str) -> str:
    return handle
