"""Sends rows with the Tinybird SDK for Python: with its buffer, without, asynchronously, from a URL.

usage: datasource.py COMMAND URL TOKEN [ARGUMENT]; prints JSON about what came back.
"""

import asyncio
import json
import sys
import threading

from tb.a.api import AsyncAPI
from tb.a.datasource import AsyncDatasource
from tb.api import API
from tb.datasource import Buffer, Datasource

COMMAND, URL, TOKEN = sys.argv[1:4]
ARGUMENT = sys.argv[4] if len(sys.argv) > 4 else ""


def append():
    with Datasource("events", TOKEN, api_url=URL) as events:
        events << {"kind": "dict", "n": 1, "text": 'wörld 🌍 "quoted"\nand more', "ratio": 0.5}
        events += {"kind": "iadd", "n": 2**53 + 1}
        events.append('{"kind":"str","n":-9223372036854775808,"text":"given as text"}')
        events.append(b'{"kind":"bytes","n":9223372036854775807,"ratio":null}')


def timer():
    """The buffer flushes by itself, a second after the first row."""
    events = Datasource("events", TOKEN, api_url=URL)
    events << {"kind": "timer", "n": 1}
    events.buffer.timer.join(20)


def full_buffer():
    """The buffer flushes whenever it holds ten rows."""
    with Datasource("events", TOKEN, api_url=URL, buffer=Buffer(max_wait_records=10)) as events:
        for n in range(95):
            events << {"kind": "full", "n": n}


def burst():
    """Many small requests, as fast as they go; what the server answers to their rate is the SDK's to cope with."""

    def send(part):
        for n in range(part * 50, part * 50 + 50):
            with Datasource("events", TOKEN, api_url=URL) as events:
                events << {"kind": "burst", "n": n}

    threads = [threading.Thread(target=send, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def refused():
    try:
        with Datasource("events", "p.nobody", api_url=URL) as events:
            events << {"kind": "refused"}
    except Exception as error:
        return {"status": error.response.status_code, "body": error.response.json()}


def api():
    client = API(TOKEN, URL)
    listed = client.get("/datasources").json()["datasources"]
    sql = client.get("/sql?q=SELECT+1+AS+one+FORMAT+JSON").json()
    imported = client.post(f"/datasources?name=events&mode=append&format=ndjson&url={ARGUMENT}").json()
    return {"names": sorted(source["name"] for source in listed), "sql": sql["data"], "import": imported}


def truncate():
    return {"status": API(TOKEN, URL).post("/datasources/events/truncate").status_code}


async def append_async():
    events = AsyncDatasource("events", TOKEN, api_url=URL)
    await events.append({"kind": "async", "n": 1, "text": "ünder"})
    await events.append('{"kind":"async","n":2}')
    await events.append(b'{"kind":"async","n":3,"ratio":-1e-300}')
    await events.flush()
    await events.api.close()


async def api_async():
    """As the SDK's own README has it."""
    async with AsyncAPI(TOKEN, URL) as client:
        await client.initialize()
        listed = await client.get_json("/datasources")
        response = await client.post(
            "datasources", params={"name": "events", "mode": "append", "format": "ndjson", "url": ARGUMENT}
        )
        imported = await response.json()
    return {"names": sorted(source["name"] for source in listed["datasources"]), "import": imported}


COMMANDS = {
    "append": append,
    "timer": timer,
    "full-buffer": full_buffer,
    "burst": burst,
    "refused": refused,
    "api": api,
    "truncate": truncate,
    "append-async": lambda: asyncio.run(append_async()),
    "api-async": lambda: asyncio.run(api_async()),
}
print(json.dumps(COMMANDS[COMMAND]()))
