"""What our pages are compared with: Starlette, one read from SQLite, and a Jinja page of the same size; nothing else.

`uvicorn --factory benchmarks.bare:application`; reads BENCHMARK_DATABASE and BENCHMARK_SIZE (octets). Tiles are compared with
files of a folder, `benchmarks.bare:files`; reads BENCHMARK_FOLDER.
"""

import os
import sqlite3

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

_PAGE = """<!DOCTYPE html>
<html lang="de"><head><meta charset="utf-8"><title>{{ town }}</title></head><body><main><h1>{{ town }}</h1><ul>
{% for row in rows %}<li class="card"><a href="/{{ row.address }}">{{ row.title }}</a> <span>{{ row.text }}</span></li>
{% endfor %}</ul></main></body></html>
"""
_ROW = {
    "address": "beteiligungen/quartier",
    "title": "Quartier & Mühlbach",
    "text": "Noch 12 Tage, mitmachen. " * 4,
}


def application() -> Starlette:
    """The bare application."""
    database = sqlite3.connect(os.environ["BENCHMARK_DATABASE"], check_same_thread=False)
    template = jinja2.Environment(autoescape=True).from_string(_PAGE)
    one = len(template.render(town="", rows=[_ROW])) - len(template.render(town="", rows=[]))
    rows = [_ROW] * (int(os.environ["BENCHMARK_SIZE"]) // one)

    async def page(request: Request) -> HTMLResponse:
        town = database.execute("SELECT name FROM municipality WHERE id = 1").fetchone()[0]
        return HTMLResponse(template.render(town=town, rows=rows))

    return Starlette(routes=[Route("/", page)])


def files() -> Starlette:
    """Files of a folder."""
    return Starlette(routes=[Mount("/", StaticFiles(directory=os.environ["BENCHMARK_FOLDER"], html=True))])
