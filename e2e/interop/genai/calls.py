"""Calls language models with an instrumentation, unmodified.

usage: calls.py KIND OTLP_URL MODEL_URL, where KIND is one of the functions below; prints how each call ended.
"""

import json
import os
import sys

KIND, OTLP_URL, MODEL_URL = sys.argv[1:4]
SENT_SECONDS = 30

# Otherwise messages are left out, or litellm fetches its price list from the network.
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LITELLM_LOG"] = "ERROR"
os.environ["TRACELOOP_TRACE_CONTENT"] = "true"

from opentelemetry import trace  # noqa: E402
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: E402
from opentelemetry.sdk.resources import Resource  # noqa: E402
from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402

PROVIDER = TracerProvider(resource=Resource.create({"service.name": KIND, "project.name": f"py-{KIND}"}))
PROVIDER.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"{OTLP_URL}/v1/traces")))
trace.set_tracer_provider(PROVIDER)

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Weather", "parameters": SCHEMA}}]
STREAM = {"stream": True, "stream_options": {"include_usage": True}}


def messages(text):
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]


def call_openai():
    import openai

    client = openai.OpenAI(base_url=f"{MODEL_URL}/v1", api_key="sk-none", max_retries=0)

    def chat(text, **more):
        return client.chat.completions.create(model="gpt-4o-mini", messages=messages(text), **more)

    ended = {"whole": chat("whole").choices[0].message.content}
    parts = [part.choices[0].delta.content or "" for part in chat("stream", **STREAM) if part.choices]
    ended["stream"] = "".join(parts)
    ended["tools"] = chat("tools", tools=TOOLS).choices[0].message.tool_calls[0].function.name
    try:
        chat("fail")
    except openai.BadRequestError as error:
        ended["failure"] = type(error).__name__
    ended["embedding"] = len(client.embeddings.create(model="text-embedding-3-small", input="embed").data)
    ended["responses"] = client.responses.create(model="gpt-4o-mini", input="responses").output_text
    return ended


def openllmetry():
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    return call_openai()


def openinference():
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    return call_openai()


def otel():
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    return call_openai()


def anthropic():
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument()
    import anthropic as api

    client = api.Anthropic(base_url=MODEL_URL, api_key="sk-none", max_retries=0)

    def chat(text, **more):
        wish = {"model": "claude-sonnet-4-5", "max_tokens": 100, "system": "Be brief.", **more}
        return client.messages.create(messages=[{"role": "user", "content": text}], **wish)

    ended = {"whole": chat("whole").content[0].text}
    parts = [part.delta.text for part in chat("stream", stream=True) if part.type == "content_block_delta"]
    ended["stream"] = "".join(parts)
    tool = {"name": "weather", "description": "Weather", "input_schema": SCHEMA}
    ended["tools"] = chat("tools", tools=[tool]).content[0].name
    try:
        chat("fail")
    except api.BadRequestError as error:
        ended["failure"] = type(error).__name__
    return ended


def litellm():
    import time

    import litellm as api
    from litellm.integrations.custom_logger import CustomLogger

    class Done(CustomLogger):
        """Stands behind the callback and counts the calls that it has seen, so that the program does not end before."""

        calls = 0

        def log_success_event(self, *args, **kwargs):
            self.calls += 1

        def log_failure_event(self, *args, **kwargs):
            self.calls += 1

    os.environ["OTEL_EXPORTER"] = "otlp_http"
    os.environ["OTEL_ENDPOINT"] = f"{OTLP_URL}/v1/traces"
    done = Done()

    api.callbacks = ["otel", done]
    api.suppress_debug_info = True

    def chat(text, **more):
        wish = {"model": "openai/gpt-4o-mini", "api_base": f"{MODEL_URL}/v1", "api_key": "sk-none", "num_retries": 0}
        return api.completion(messages=messages(text), user="user-7", **wish, **more)

    ended = {"whole": chat("whole").choices[0].message.content}
    parts = [part.choices[0].delta.content or "" for part in chat("stream", **STREAM) if part.choices]
    ended["stream"] = "".join(parts)
    ended["tools"] = chat("tools", tools=TOOLS).choices[0].message.tool_calls[0].function.name
    try:
        chat("fail")
    except api.BadRequestError as error:
        ended["failure"] = type(error).__name__
    deadline = time.monotonic() + SENT_SECONDS
    while done.calls < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    return ended


KINDS = {
    "openllmetry": openllmetry,
    "openinference": openinference,
    "otel": otel,
    "anthropic": anthropic,
    "litellm": litellm,
}
print(json.dumps(KINDS[KIND]()))
PROVIDER.force_flush()
PROVIDER.shutdown()
