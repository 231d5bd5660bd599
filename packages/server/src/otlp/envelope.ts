/**
 * The envelope that all OTLP requests share: resources that hold scopes that hold items
 * (opentelemetry/proto/{trace,logs,metrics}/v1, ExportXServiceRequest → ResourceX → ScopeX → X; the field numbers are the
 * same in all three). Walks it once, and fills the columns that all items of a scope have in common.
 *
 * Protobuf allows fields in any order: a resource is looked for before its scopes are read, and what comes of a scope is used when
 * all of its items are.
 */

import type { Placement } from '@glasshouse/model';
import type { Block } from '@glasshouse/native';
import { ConstantColumn, FixedColumn, LowCardinalityColumn } from '@glasshouse/native';
import type { Text } from './attributes-json.ts';
import { ResourceMemory, ScopeMemory, textOf } from './shared.ts';
import type { Wire } from './wire.ts';
import { malformed } from './wire.ts';

const FIRST = 0x0a;
const SECOND = 0x12;
const THIRD = 0x1a;

/** A range of the body; `start === end` if the field is absent. */
export interface Range {
  start: number;
  end: number;
}

/** What the items of one scope have in common. */
export interface Envelope {
  placement: Placement;
  readonly resource: Range;
  readonly resourceUrl: Range;
  readonly scope: Range;
  readonly scopeUrl: Range;
}

/** What a signal's decoder does with the envelope's contents. */
export interface ItemReader {
  /** Reads the item (span, log record, metric) in `[pos, end)`. */
  item(wire: Wire, pos: number, end: number): void;
  /** Called after the items of a scope, to fill the common columns of the rows that were added. */
  endScope(wire: Wire, envelope: Envelope): void;
}

export class EnvelopeWalker {
  private readonly envelope: Envelope = {
    placement: { tenant: '', project: '', environment: '' },
    resource: { start: 0, end: 0 },
    resourceUrl: { start: 0, end: 0 },
    scope: { start: 0, end: 0 },
    scopeUrl: { start: 0, end: 0 },
  };

  /** Walks the export request in `[0, end)`. */
  walk(wire: Wire, end: number, placement: Placement, reader: ItemReader): void {
    this.envelope.placement = placement;
    eachField(wire, 0, end, (tag, pos, fieldEnd) => {
      if (tag === FIRST) this.resource(wire, pos, fieldEnd, reader);
    });
  }

  private resource(wire: Wire, pos: number, end: number, reader: ItemReader): void {
    const { envelope } = this;
    findFields(wire, pos, end, envelope.resource, envelope.resourceUrl);
    eachField(wire, pos, end, (tag, start, fieldEnd) => {
      if (tag === SECOND) this.scope(wire, start, fieldEnd, reader);
    });
  }

  private scope(wire: Wire, pos: number, end: number, reader: ItemReader): void {
    const { envelope } = this;
    const { scope, scopeUrl } = envelope;
    scope.start = scope.end = scopeUrl.start = scopeUrl.end = pos;
    // What the items have in common is wanted behind them, so they are gone through once: looking for it before would fetch
    // the memory of each item twice.
    while (pos < end) {
      const tag = wire.varint(pos);
      if (tag === SECOND) {
        const fieldEnd = wire.enter(wire.pos, end);
        reader.item(wire, wire.pos, fieldEnd);
        pos = fieldEnd;
        continue;
      }
      pos = wire.skip(tag, wire.pos, end);
      const range = tag === FIRST ? scope : tag === THIRD ? scopeUrl : undefined;
      if (range === undefined) continue;
      range.start = wire.pos;
      range.end = pos;
    }
    if (pos !== end) throw malformed('a message is cut off');
    reader.endScope(wire, envelope);
  }
}

/** Calls `visit` for each length-delimited field of the message in `[pos, end)` and skips the others. */
export function eachField(
  wire: Wire,
  pos: number,
  end: number,
  visit: (tag: number, start: number, end: number) => void,
): void {
  while (pos < end) {
    const tag = wire.varint(pos);
    if ((tag & 7) === 2) {
      const fieldEnd = wire.enter(wire.pos, end);
      visit(tag, wire.pos, fieldEnd);
      pos = fieldEnd;
    } else pos = wire.skip(tag, wire.pos, end);
  }
  if (pos !== end) throw malformed('a message is cut off');
}

/** Finds field 1 (the resource) and field 3 (its schema URL). */
function findFields(wire: Wire, pos: number, end: number, first: Range, url: Range): void {
  first.start = first.end = url.start = url.end = pos;
  eachField(wire, pos, end, (tag, start, fieldEnd) => {
    const range = tag === FIRST ? first : tag === THIRD ? url : undefined;
    if (range !== undefined) {
      range.start = start;
      range.end = fieldEnd;
    }
  });
}

/** The columns of one block that come from the envelope. */
export class EnvelopeColumns {
  private readonly block: Block;
  private readonly segment: ConstantColumn;
  private readonly labels = new Map<string, LowCardinalityColumn>();
  /** The last placement, encoded: requests of one sender follow each other. */
  private readonly encoded = new Map<string, { name: string; text: Text }>();
  private readonly resourceDropped: FixedColumn;
  private readonly scopeDropped: FixedColumn;
  private readonly resources: ResourceMemory;
  private readonly scopes: ScopeMemory;

  constructor(block: Block) {
    this.block = block;
    this.segment = block.column('_segment', ConstantColumn);
    this.resourceDropped = block.column('resource_dropped_attributes_count', FixedColumn);
    this.scopeDropped = block.column('scope_dropped_attributes_count', FixedColumn);
    this.resources = new ResourceMemory(block.repairs);
    this.scopes = new ScopeMemory(block.repairs);
  }

  /** Fills the rows of the block that have no envelope yet. */
  fill(wire: Wire, envelope: Envelope): void {
    const rows = this.block.rows - this.segment.count;
    if (rows === 0) return;
    this.segment.repeat(rows);
    const { placement, resourceUrl, scopeUrl } = envelope;
    this.repeatName('tenant_id', placement.tenant, rows);
    this.repeatName('project_id', placement.project, rows);
    this.repeatName('environment', placement.environment, rows);

    const resource = this.resources.read(wire, envelope.resource.start, envelope.resource.end);
    this.repeat('service_name', resource.service, rows);
    this.repeat('project_name', resource.project, rows);
    this.repeat('resource_attributes', resource.attributes, rows);
    this.resourceDropped.repeatUint32(resource.droppedAttributes, rows);
    this.repeatRange('resource_schema_url', wire, resourceUrl, rows);

    const scope = this.scopes.read(wire, envelope.scope.start, envelope.scope.end);
    this.repeat('scope_name', scope.name, rows);
    this.repeat('scope_version', scope.version, rows);
    this.repeat('scope_attributes', scope.attributes, rows);
    this.scopeDropped.repeatUint32(scope.droppedAttributes, rows);
    this.repeatRange('scope_schema_url', wire, scopeUrl, rows);
  }

  private label(name: string): LowCardinalityColumn {
    let column = this.labels.get(name);
    if (column === undefined) {
      column = this.block.column(name, LowCardinalityColumn);
      this.labels.set(name, column);
    }
    return column;
  }

  private repeatName(column: string, name: string, rows: number): void {
    let encoded = this.encoded.get(column);
    if (encoded?.name !== name) {
      encoded = { name, text: textOf(name) };
      this.encoded.set(column, encoded);
    }
    this.repeat(column, encoded.text, rows);
  }

  private repeat(name: string, text: Text, rows: number): void {
    const column = this.label(name);
    column.repeat(column.localOf(text.source, 0, text.length), rows);
  }

  private repeatRange(name: string, wire: Wire, range: Range, rows: number): void {
    const column = this.label(name);
    column.repeat(column.localOf(wire, range.start, range.end), rows);
  }
}
