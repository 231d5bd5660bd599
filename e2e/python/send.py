"""Sends all three signals with the OpenTelemetry SDK for Python and says, as JSON, what it sent.

Usage: send.py {http|grpc} ENDPOINT SERVICE

What the SDK chooses by itself (ids, times of data points) is printed, so that the test can compare whole rows.
"""

import json
import sys
import time

PROTOCOL, ENDPOINT, SERVICE = sys.argv[1:4]

if PROTOCOL == "http":
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    def options(signal):
        return {"endpoint": f"{ENDPOINT}/v1/{signal}", "compression": Compression.Gzip}

else:
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    def options(signal):
        return {"endpoint": ENDPOINT, "insecure": True}


from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

# An hour before the test, in nanoseconds that no double holds.
STARTED = time.time_ns() // 1_000_000_000 * 1_000_000_000 - 3_600_000_000_000 + 987_654_321

resource = Resource(
    {"service.name": SERVICE, "replicas": 3, "weight": 0.5, "canary": False, "zones": ["a", "b"]},
    schema_url="https://example.test/resource/1",
)


def send_spans():
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(**options("traces"))))
    tracer = provider.get_tracer(
        "e2e.python", "1.0", schema_url="https://example.test/scope/1", attributes={"team": "core", "tier": 1}
    )
    linked = SpanContext(
        0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, True, TraceFlags(1), TraceState([("k", "v")])
    )
    root = tracer.start_span(
        "python root",
        kind=SpanKind.CONSUMER,
        start_time=STARTED,
        links=[Link(linked, {"why": "because", "times": 3})],
        attributes={
            "text": "wörld 🌍",
            "int": -(2**63),
            "int.max": 2**63 - 1,
            "double": 1.0,
            "double.small": 1e-300,
            "double.nan": float("nan"),
            "double.inf": float("-inf"),
            "yes": True,
            "bytes": b"\x00\xff",
            "strings": ["x", "y"],
            "ints": [1, 2**62],
            "doubles": [0.1, 2.0],
            "bools": [True, False],
        },
    )
    root.add_event("exception", {"exception.type": "ValueError", "exception.escaped": False}, STARTED + 7)
    root.set_status(Status(StatusCode.ERROR, "boom"))
    child = tracer.start_span("python child", trace.set_span_in_context(root), start_time=STARTED + 1)
    child.end(STARTED + 2)
    root.end(STARTED + 1_000_000_007)
    provider.shutdown()
    return {
        "trace_id": f"{root.context.trace_id:032x}",
        "root": f"{root.context.span_id:016x}",
        "child": f"{child.context.span_id:016x}",
    }


def send_logs(ids):
    provider = LoggerProvider(resource=resource)
    provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(**options("logs"))))
    logger = provider.get_logger("e2e.python.logs", "1.1")
    parent = trace.set_span_in_context(
        trace.NonRecordingSpan(SpanContext(int(ids["trace_id"], 16), int(ids["root"], 16), False, TraceFlags(1)))
    )
    logger.emit(
        LogRecord(
            timestamp=STARTED,
            observed_timestamp=STARTED + 1,
            context=parent,
            severity_text="CRITICAL",
            severity_number=SeverityNumber.FATAL,
            body="it is over",
            attributes={"code": 137, "ratio": 2.0, "final": True, "raw": b"\x01\x02", "tags": ("a", "b"), "deep": {"n": 1}},
        )
    )
    logger.emit(
        LogRecord(
            timestamp=STARTED + 1,
            observed_timestamp=STARTED + 2,
            severity_number=SeverityNumber.DEBUG,
            body={"list": [1, 2.0, "three", None, True], "bytes": b"\xff"},
            event_name="e2e.event",
        )
    )
    provider.shutdown()


def send_metrics():
    exporter = OTLPMetricExporter(**options("metrics"))
    exported = []
    export = exporter.export

    def watch(metrics_data, *args, **kwargs):
        exported.append(metrics_data)
        return export(metrics_data, *args, **kwargs)

    exporter.export = watch
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    views = [View(instrument_name="sizes", aggregation=ExponentialBucketHistogramAggregation(max_size=20))]
    provider = MeterProvider([reader], resource=resource, views=views, shutdown_on_exit=False)
    meter = provider.get_meter("e2e.python.metrics", "1.2")
    tracer = TracerProvider(resource=resource).get_tracer("exemplars")
    with tracer.start_as_current_span("with exemplar"):
        meter.create_counter("jobs", "1", "Jobs done").add(2**53 + 1, {"queue": "a", "shard": 4, "hot": True})
    meter.create_up_down_counter("open").add(-5)
    meter.create_gauge("level").set(0.125)
    latency = meter.create_histogram("latency", "s", "Latency", explicit_bucket_boundaries_advisory=[0.1, 1.0])
    for value in (0.05, 0.1, 5):
        latency.record(value)
    sizes = meter.create_histogram("sizes", "By")
    for value in (0, 1, 3, 700):
        sizes.record(value)
    provider.shutdown()
    return {
        metric.name: json.loads(metric.data.data_points[0].to_json())
        for metrics_data in exported
        for resource_metrics in metrics_data.resource_metrics
        for scope_metrics in resource_metrics.scope_metrics
        for metric in scope_metrics.metrics
    }


ids = send_spans()
send_logs(ids)
print(json.dumps({"started": STARTED, "ids": ids, "points": send_metrics()}))
