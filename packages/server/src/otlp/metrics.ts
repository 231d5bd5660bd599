/**
 * Metrics from the wire to the columns of the five metric tables (opentelemetry/proto/metrics/v1/metrics.proto). Each kind
 * of data point has a reader that knows its field numbers; `points.ts` has what they share.
 *
 * Must stay true: whether a data point is taken is decided before anything of it is appended.
 */

import type { Block } from '@glasshouse/native';
import { ArrayColumn, FixedColumn, NullableColumn } from '@glasshouse/native';
import {
  METRICS_EXPONENTIAL_HISTOGRAM,
  METRICS_GAUGE,
  METRICS_HISTOGRAM,
  METRICS_SUM,
  METRICS_SUMMARY,
} from '@glasshouse/schema';
import type { Envelope, ItemReader, Range } from './envelope.ts';
import { eachField } from './envelope.ts';
import { FieldIndex } from './fields-index.ts';
import type { MetricHeader } from './points.ts';
import {
  appendFixed64,
  appendFixedArray,
  appendOptional,
  appendVarintArray,
  ExemplarColumns,
  NumberColumns,
  PointColumns,
  TIME_FIELD,
} from './points.ts';
import type { Rejections, TimeWindow } from './reject.ts';
import type { Wire } from './wire.ts';

/** Field numbers of a data point's attributes, flags and exemplars, and how its values are appended. */
interface PointKind {
  readonly columns: PointColumns;
  readonly attributes: number;
  readonly flags: number;
  /** Appends the values of the point in `[pos, end)`; `container` has the fields of the Gauge, Sum, … around it. */
  appendValues(wire: Wire, pos: number, end: number, fields: FieldIndex, container: Container): void;
}

/** Fields 2 and 3 of Sum, Histogram and ExponentialHistogram. */
interface Container {
  readonly temporality: number;
  readonly isMonotonic: boolean;
}

const DATA_POINTS = 0x0a;

export class MetricReader implements ItemReader {
  readonly blocks: readonly Block[];
  private readonly rejections: Rejections;
  private window: TimeWindow = { oldestHigh: 0, newestHigh: 0 };
  private readonly metric = new FieldIndex();
  private readonly container = new FieldIndex();
  private readonly point = new FieldIndex();
  /** By the field number that a Metric's data has. */
  private readonly kinds = new Map<number, PointKind>([
    [5, new GaugePoints()],
    [7, new SumPoints()],
    [9, new HistogramPoints()],
    [10, new ExponentialHistogramPoints()],
    [11, new SummaryPoints()],
  ]);

  constructor(rejections: Rejections) {
    this.rejections = rejections;
    this.blocks = [...this.kinds.values()].map((kind) => kind.columns.block);
  }

  /** Sets the times that are taken from now on. */
  within(window: TimeWindow): void {
    this.window = window;
  }

  item(wire: Wire, pos: number, end: number): void {
    const { metric } = this;
    metric.read(wire, pos, end, 'a metric');
    const range = (field: number): Range =>
      metric.start(field) < 0 ? { start: pos, end: pos } : { start: metric.start(field), end: metric.end(field) };
    const header: MetricHeader = {
      name: range(1),
      description: range(2),
      unit: range(3),
      message: { start: pos, end },
    };
    // A oneof: if several are there, the last one counts.
    let data = -1;
    for (const field of this.kinds.keys()) if (data < 0 || metric.start(field) > metric.start(data)) data = field;
    const kind = this.kinds.get(data);
    if (kind === undefined || metric.start(data) < 0) return;
    this.points(wire, metric.start(data), metric.end(data), kind);
    kind.columns.endMetric(wire, header);
  }

  endScope(wire: Wire, envelope: Envelope): void {
    for (const kind of this.kinds.values()) kind.columns.endScope(wire, envelope);
  }

  private points(wire: Wire, pos: number, end: number, kind: PointKind): void {
    this.container.read(wire, pos, end, 'the data of a metric');
    const temporality = this.container.varint(wire, 2);
    const container: Container = {
      temporality: temporality <= 2 ? temporality : 0,
      isMonotonic: this.container.varint(wire, 3) !== 0,
    };
    eachField(wire, pos, end, (tag, start, pointEnd) => {
      if (tag === DATA_POINTS) this.onePoint(wire, start, pointEnd, kind, container);
    });
  }

  private onePoint(wire: Wire, pos: number, end: number, kind: PointKind, container: Container): void {
    const { point, rejections } = this;
    point.read(wire, pos, end, 'a data point');
    const timeAt = point.fixed64At(TIME_FIELD);
    if (timeAt < 0) return rejections.add('time_missing');
    wire.fixed64(timeAt);
    const reason = rejections.time(wire.low, wire.high, this.window);
    if (reason !== undefined) return rejections.add(reason);
    kind.appendValues(wire, pos, end, point, container);
    kind.columns.append(wire, { start: pos, end }, point, kind.attributes, kind.flags);
  }
}

/** NumberDataPoint { as_double = 4, exemplars = 5, as_int = 6, attributes = 7, flags = 8 }. */
class GaugePoints implements PointKind {
  readonly columns: PointColumns = new PointColumns(METRICS_GAUGE);
  readonly attributes = 7;
  readonly flags = 8;
  private readonly numbers = numberColumns(this.columns.block);
  private readonly exemplars = new ExemplarColumns(this.columns.block);

  appendValues(wire: Wire, pos: number, end: number, fields: FieldIndex): void {
    this.numbers.append(wire, fields, 4, 6);
    this.exemplars.append(wire, pos, end, 5);
  }
}

class SumPoints implements PointKind {
  readonly columns = new PointColumns(METRICS_SUM);
  readonly attributes = 7;
  readonly flags = 8;
  private readonly numbers = numberColumns(this.columns.block);
  private readonly exemplars = new ExemplarColumns(this.columns.block);
  private readonly temporality = this.columns.block.column('temporality', FixedColumn);
  private readonly isMonotonic = this.columns.block.column('is_monotonic', FixedColumn);

  appendValues(wire: Wire, pos: number, end: number, fields: FieldIndex, container: Container): void {
    this.temporality.appendUint8(container.temporality);
    this.isMonotonic.appendUint8(container.isMonotonic ? 1 : 0);
    this.numbers.append(wire, fields, 4, 6);
    this.exemplars.append(wire, pos, end, 5);
  }
}

/**
 * HistogramDataPoint { count = 4, sum = 5, bucket_counts = 6, explicit_bounds = 7, exemplars = 8, attributes = 9,
 * flags = 10, min = 11, max = 12 }.
 */
class HistogramPoints implements PointKind {
  readonly columns = new PointColumns(METRICS_HISTOGRAM);
  readonly attributes = 9;
  readonly flags = 10;
  private readonly block = this.columns.block;
  private readonly temporality = this.block.column('temporality', FixedColumn);
  private readonly count = this.block.column('count', FixedColumn);
  private readonly sum = this.block.column('sum', NullableColumn);
  private readonly min = this.block.column('min', NullableColumn);
  private readonly max = this.block.column('max', NullableColumn);
  private readonly bucketCounts = this.block.column('bucket_counts', ArrayColumn);
  private readonly bounds = this.block.column('explicit_bounds', ArrayColumn);
  private readonly exemplars = new ExemplarColumns(this.block);

  appendValues(wire: Wire, pos: number, end: number, fields: FieldIndex, container: Container): void {
    this.temporality.appendUint8(container.temporality);
    appendFixed64(this.count, wire, fields, 4);
    appendOptional(this.sum, wire, fields, 5);
    appendOptional(this.min, wire, fields, 11);
    appendOptional(this.max, wire, fields, 12);
    appendFixedArray(this.bucketCounts, wire, pos, end, 6);
    appendFixedArray(this.bounds, wire, pos, end, 7);
    this.exemplars.append(wire, pos, end, 8);
  }
}

/**
 * ExponentialHistogramDataPoint { attributes = 1, count = 4, sum = 5, scale = 6, zero_count = 7, positive = 8, negative = 9,
 * flags = 10, exemplars = 11, min = 12, max = 13, zero_threshold = 14 }; Buckets { offset = 1, bucket_counts = 2 }.
 */
class ExponentialHistogramPoints implements PointKind {
  readonly columns = new PointColumns(METRICS_EXPONENTIAL_HISTOGRAM);
  readonly attributes = 1;
  readonly flags = 10;
  private readonly block = this.columns.block;
  private readonly buckets = new FieldIndex();
  private readonly temporality = this.block.column('temporality', FixedColumn);
  private readonly count = this.block.column('count', FixedColumn);
  private readonly sum = this.block.column('sum', NullableColumn);
  private readonly min = this.block.column('min', NullableColumn);
  private readonly max = this.block.column('max', NullableColumn);
  private readonly scale = this.block.column('scale', FixedColumn);
  private readonly zeroCount = this.block.column('zero_count', FixedColumn);
  private readonly zeroThreshold = this.block.column('zero_threshold', FixedColumn);
  private readonly sides = (['positive', 'negative'] as const).map((side) => ({
    offset: this.block.column(`${side}_offset`, FixedColumn),
    counts: this.block.column(`${side}_bucket_counts`, ArrayColumn),
  }));
  private readonly exemplars = new ExemplarColumns(this.block);

  appendValues(wire: Wire, pos: number, end: number, fields: FieldIndex, container: Container): void {
    this.temporality.appendUint8(container.temporality);
    appendFixed64(this.count, wire, fields, 4);
    appendOptional(this.sum, wire, fields, 5);
    appendOptional(this.min, wire, fields, 12);
    appendOptional(this.max, wire, fields, 13);
    this.scale.appendUint32(fields.sint32(wire, 6));
    appendFixed64(this.zeroCount, wire, fields, 7);
    appendFixed64(this.zeroThreshold, wire, fields, 14);
    for (const [index, { offset, counts }] of this.sides.entries()) {
      const field = 8 + index;
      const [start, stop] = fields.start(field) < 0 ? [pos, pos] : [fields.start(field), fields.end(field)];
      this.buckets.read(wire, start, stop, 'a bucket list');
      offset.appendUint32(this.buckets.sint32(wire, 1));
      appendVarintArray(counts, wire, start, stop, 2);
    }
    this.exemplars.append(wire, pos, end, 11);
  }
}

/** SummaryDataPoint { count = 4, sum = 5, quantile_values = 6 { quantile = 1, value = 2 }, attributes = 7, flags = 8 }. */
class SummaryPoints implements PointKind {
  readonly columns = new PointColumns(METRICS_SUMMARY);
  readonly attributes = 7;
  readonly flags = 8;
  private readonly block = this.columns.block;
  private readonly pair = new FieldIndex();
  private readonly count = this.block.column('count', FixedColumn);
  private readonly sum = this.block.column('sum', NullableColumn);
  private readonly quantiles = this.block.column('quantiles', ArrayColumn) as ArrayColumn<FixedColumn>;
  private readonly values = this.block.column('quantile_values', ArrayColumn) as ArrayColumn<FixedColumn>;

  appendValues(wire: Wire, pos: number, end: number, fields: FieldIndex): void {
    appendFixed64(this.count, wire, fields, 4);
    // Unlike a histogram's, a summary's sum is not optional: what is absent on the wire is zero.
    const sumAt = fields.fixed64At(5);
    this.sum.appendFloat64(sumAt < 0 ? 0 : wire.view.getFloat64(sumAt, true));
    eachField(wire, pos, end, (tag, start, fieldEnd) => {
      if (tag !== 0x32) return;
      this.pair.read(wire, start, fieldEnd, 'a quantile');
      appendFixed64(this.quantiles.items, wire, this.pair, 1);
      appendFixed64(this.values.items, wire, this.pair, 2);
    });
    this.quantiles.close();
    this.values.close();
  }
}

function numberColumns(block: Block): NumberColumns {
  const fixed = (name: string): FixedColumn => block.column(name, FixedColumn);
  return new NumberColumns(fixed('value_type'), fixed('value'), fixed('value_int'));
}
