/** The ways from a body to rows, OTLP's and those of events, with the blocks of all, and the generations that are in any. */

import type { Block } from '@glasshouse/native';
import type { Spent } from '../generations/spending.ts';
import { Generations } from '../generations/maker.ts';
import type { KnownPrices } from '../generations/prices.ts';
import type { StoredCall } from '../generations/stored-calls.ts';
import type { DecodeOptions, Decoded } from './decode.ts';
import { Decoder } from './decode.ts';
import { CallsReader } from './calls.ts';
import { EventsReader } from './events.ts';
import type { RequestMessage } from './messages.ts';
import { Redactor } from './redactor.ts';

export class Readers {
  readonly blocks: readonly Block[];
  readonly redactor = new Redactor();
  private readonly generations: Generations;
  private readonly signals: Decoder;
  private readonly events: EventsReader;
  private readonly calls: CallsReader;

  constructor(options: DecodeOptions) {
    this.generations = new Generations(options.now);
    this.signals = new Decoder(options, this.generations);
    this.events = new EventsReader(options, this.generations);
    this.calls = new CallsReader(options, this.generations, this.redactor);
    this.blocks = [...this.signals.blocks, this.events.block, this.generations.block];
  }

  get days(): number {
    return Math.max(this.signals.days, this.generations.block.days.byDay().size);
  }

  /** Lets these prices count from now on. */
  price(known: KnownPrices): void {
    this.generations.price(known);
  }

  /** Whether calls that were stored before the start are still to come. A request with a call throws `CallsUnknown` until then. */
  set areCallsUnknown(areUnknown: boolean) {
    this.generations.areCallsUnknown = areUnknown;
  }

  /** Lets calls be known that were stored before the start. */
  remember(calls: readonly StoredCall[]): void {
    this.generations.remember(calls);
  }

  /** The blocks were given to the log; what is decoded now is of the next commit. Returns what the generations in them cost. */
  sent(): readonly Spent[] {
    return this.generations.sent();
  }

  /** The generations that were given to the log are durable. */
  kept(): void {
    this.generations.kept();
  }

  /** They could not be made durable. Takes back those that were made since, because they may be duplicates of what is lost. */
  lost(): void {
    this.generations.lost();
  }

  decode(request: RequestMessage['request'], buffer: SharedArrayBuffer, length: number): Decoded {
    if (request.signal === 'calls') return this.calls.decode({ ...request, buffer, length });
    if (request.signal === 'events') {
      return this.events.decode({ ...request, buffer, length, rules: this.redactor.rulesFor(request) });
    }
    return this.signals.decode({ ...request, buffer, length, rules: this.redactor.rulesFor(request.placement) });
  }
}
