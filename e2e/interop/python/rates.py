"""Sends more than the server allows with the Tinybird SDK for Python, which waits and tries again.

usage: rates.py COMMAND URL TOKEN COUNT; prints the refusals as the SDK saw them, and what came of it.
"""

import asyncio
import json
import logging
import sys

from tb.a.api import AsyncAPI, RateLimitError
from tb.api import API
from tb.datasource import Buffer, Datasource

COMMAND, URL, TOKEN = sys.argv[1:4]
COUNT = int(sys.argv[4])
EVENTS = "/events?name=rated"


class Refusals(logging.Handler):
    """Notes what the SDK knows of the limit whenever it logs that it was refused."""

    def __init__(self, client):
        super().__init__(logging.WARNING)
        self.client = client
        self.seen = []

    def emit(self, record):
        if not record.getMessage().startswith("Too many requests"):
            return
        limit = (self.client.rate_limit_points, self.client.rate_limit_remaining)
        self.seen.append([*limit, self.client.rate_limit_reset, self.client.retry_after])


def watched(client):
    refusals = Refusals(client)
    logging.getLogger().addHandler(refusals)
    return refusals.seen


def datasource():
    """Every row is a request of its own."""
    rated = Datasource("rated", TOKEN, api_url=URL, buffer=Buffer(max_wait_records=1))
    seen = watched(rated.api)
    for n in range(COUNT):
        rated << {"kind": "sync", "n": n}
    return {"refusals": seen}


def get():
    """A GET is tried again by urllib3 before the SDK hears of it."""
    client = API(TOKEN, URL)
    return {"statuses": [client.get("/datasources").status_code for _ in range(COUNT)]}


async def asynchronous(tries):
    client = AsyncAPI(TOKEN, URL, retry_total=tries)
    seen = watched(client)
    lost = 0
    for n in range(COUNT):
        try:
            await client.post(EVENTS, data=json.dumps({"kind": f"async {tries}", "n": n}))
        except RateLimitError:
            lost += 1
    await client.close()
    return {"refusals": seen, "lost": lost}


COMMANDS = {
    "datasource": datasource,
    "get": get,
    # The SDK's own default.
    "async-once": lambda: asyncio.run(asynchronous(1)),
    "async-again": lambda: asyncio.run(asynchronous(10)),
}
print(json.dumps(COMMANDS[COMMAND]()))
