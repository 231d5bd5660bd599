"""Calls a language model by way of litellm, with the Tinybird SDK's handler as the callback.

usage: litellm_calls.py KIND URL TOKEN MODEL_URL, where KIND is `sync`, `async` or `failure`; prints how each call ended.
"""

import asyncio
import datetime
import json
import os
import sys
import time

# Otherwise litellm fetches its price list from the network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
# Standard output is for the results.
os.environ["LITELLM_LOG"] = "ERROR"

import litellm  # noqa: E402
from litellm.integrations.custom_logger import CustomLogger  # noqa: E402
from tb.litellm.handler import TinybirdLitellmAsyncHandler, TinybirdLitellmSyncHandler  # noqa: E402

KIND, URL, TOKEN, MODEL_URL = sys.argv[1:5]
SENT_SECONDS = 30

litellm.suppress_debug_info = True


class Done(CustomLogger):
    """Stands behind the handler under test and counts the calls that it has seen, so that the program does not end before."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def log_success_event(self, *args, **kwargs):
        self.calls += 1

    def log_failure_event(self, *args, **kwargs):
        self.calls += 1

    async def async_log_success_event(self, *args, **kwargs):
        self.calls += 1

    async def async_log_failure_event(self, *args, **kwargs):
        self.calls += 1


def wish(text, **more):
    return {
        "model": "openai/gpt-4o-mini",
        "api_base": MODEL_URL,
        "api_key": "sk-0123456789abcd",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}],
        "user": "user-7",
        "num_retries": 0,
        "metadata": {"organization": "acme", "project": "shop", "environment": "e2e", "chat_id": text},
        **more,
    }


STREAM = {"stream": True, "stream_options": {"include_usage": True}}


def sync():
    done = Done()
    litellm.callbacks = [TinybirdLitellmSyncHandler(api_url=URL, tinybird_token=TOKEN, datasource_name="litellm"), done]
    whole = litellm.completion(**wish("sync whole")).choices[0].message.content
    pieces = [piece.choices[0].delta.content or "" for piece in litellm.completion(**wish("sync stream", **STREAM))]
    try:
        litellm.completion(**wish("sync fail"))
        failure = None
    except litellm.BadRequestError as error:
        failure = type(error).__name__
    deadline = time.monotonic() + SENT_SECONDS
    while done.calls < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    return {"whole": whole, "stream": "".join(pieces), "failure": failure}


async def asynchronous():
    done = Done()
    handler = TinybirdLitellmAsyncHandler(api_url=URL, tinybird_token=TOKEN, datasource_name="litellm")
    litellm.callbacks = [handler, done]
    whole = (await litellm.acompletion(**wish("async whole"))).choices[0].message.content
    pieces = []
    async for piece in await litellm.acompletion(**wish("async stream", **STREAM)):
        pieces.append(piece.choices[0].delta.content or "")
    try:
        await litellm.acompletion(**wish("async fail"))
        failure = None
    except litellm.BadRequestError as error:
        failure = type(error).__name__
    deadline = time.monotonic() + SENT_SECONDS
    while done.calls < 3 and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    await handler.async_api.close()
    return {"whole": whole, "stream": "".join(pieces), "failure": failure}


def failure():
    """A failure as older versions of litellm report it: with a response. Newer ones have none, and the handler gives up."""
    handler = TinybirdLitellmSyncHandler(api_url=URL, tinybird_token=TOKEN, datasource_name="litellm")
    begun = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)
    usage = litellm.Usage(prompt_tokens=3, completion_tokens=0, total_tokens=3)
    response = litellm.ModelResponse(id="chatcmpl-failed", model="gpt-4o-mini", usage=usage, choices=[])
    details = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "direct failure"}],
        "user": None,
        "litellm_call_id": "call-failed",
        "custom_llm_provider": "openai",
        "log_event_type": "failed_api_call",
        "api_key": "short",
        "litellm_params": {"metadata": {"organization": "acme", "project": "shop", "chat_id": "direct failure"}},
        "exception": ValueError("no such model"),
        "traceback_exception": 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: no such model',
        "standard_logging_object": {"status": "failure"},
    }
    handler.log_failure_event(details, response, begun, begun + datetime.timedelta(milliseconds=250))


print(json.dumps({"sync": sync, "async": lambda: asyncio.run(asynchronous()), "failure": failure}[KIND]()))
