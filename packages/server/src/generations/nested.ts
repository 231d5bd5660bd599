/**
 * The same call, told of by two spans of which one is right around the other: by two instrumentations, or by one that has a span for
 * the call and one for its request. Where both have the provider's id of the answer that tells; where the outer one has none, as of
 * embeddings and of calls that failed, this does.
 *
 * Must stay true: only a parent counts, of the same trace, operation and model, that says the same of the outcome: the same counts; or
 * both failed; or of embeddings nothing at all. Spans beside each other may be two calls, and so may spans of two traces.
 */

import { placeOf } from '@glasshouse/generations';
import type { PackedValue, PackedValues } from '@glasshouse/generations';
import { CallKeys } from './call-keys.ts';
import { SeenCalls } from './seen.ts';

const TRACE = placeOf('trace_id');
const SPAN = placeOf('span_id');
const PARENT = placeOf('parent_span_id');
const OPERATION = placeOf('operation');
const MODEL = placeOf('model_requested');
const INPUT = placeOf('input_tokens');
const OUTPUT = placeOf('output_tokens');
const STATUS = placeOf('status');

/** A span ends after those inside it and is sent with them or soon after. */
const REMEMBERED = 1 << 17;
const NOTHING = 'nothing';
const EMBEDDINGS = 'embeddings';

export class NestedCalls {
  private readonly inside = new SeenCalls(REMEMBERED);
  private readonly keys = new CallKeys();

  /** Remembers what the row says of the span around its own. */
  learn(row: PackedValues, tenant: string): void {
    const [parent, span, operation] = [row[PARENT], row[SPAN], row[OPERATION]];
    if (!isThere(parent) || String(parent) === String(span)) return;
    const outcome = outcomeOf(row);
    this.inside.add(this.keyOf(row, tenant, parent, outcome));
    // The span of a call of which only the request has a usage.
    if (operation === EMBEDDINGS && outcome !== 'error') this.inside.add(this.keyOf(row, tenant, parent, NOTHING));
  }

  /** Whether a span inside that of the row told of the same call. */
  isAround(row: PackedValues, tenant: string): boolean {
    const [span, outcome] = [row[SPAN], outcomeOf(row)];
    if (!isThere(span) || row[MODEL] === '') return false;
    if (outcome === NOTHING && row[OPERATION] !== EMBEDDINGS) return false;
    return this.inside.has(this.keyOf(row, tenant, span, outcome));
  }

  mark(): void {
    this.inside.mark();
  }

  rollback(): void {
    this.inside.rollback();
  }

  send(): void {
    this.inside.send();
  }

  keep(): void {
    this.inside.keep();
  }

  lose(): void {
    this.inside.lose();
  }

  private keyOf(row: PackedValues, tenant: string, span: PackedValue, outcome: string): CallKeys {
    const keys = this.keys.clear().begin().text(tenant).value(row[TRACE]).value(span);
    return keys.value(row[OPERATION]).value(row[MODEL]).text(outcome).end();
  }
}

function isThere(id: PackedValue | undefined): id is PackedValue {
  return id !== undefined && id !== null && id !== '';
}

function outcomeOf(row: PackedValues): string {
  const [input, output] = [row[INPUT], row[OUTPUT]];
  if (typeof input === 'number' || typeof output === 'number') return `${String(input ?? '')} ${String(output ?? '')}`;
  return row[STATUS] === 'error' ? 'error' : NOTHING;
}
