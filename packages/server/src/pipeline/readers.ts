/** The two ways from a body to rows, OTLP's and that of events, with the blocks of both. */

import type { Block } from '@glasshouse/native';
import type { DecodeOptions, Decoded } from './decode.ts';
import { Decoder } from './decode.ts';
import { EventsReader } from './events.ts';
import type { RequestMessage } from './messages.ts';

export class Readers {
  readonly blocks: readonly Block[];
  private readonly signals: Decoder;
  private readonly events: EventsReader;

  constructor(options: DecodeOptions) {
    this.signals = new Decoder(options);
    this.events = new EventsReader(options);
    this.blocks = [...this.signals.blocks, this.events.block];
  }

  get days(): number {
    return this.signals.days;
  }

  decode(request: RequestMessage['request'], buffer: SharedArrayBuffer, length: number): Decoded {
    return request.signal === 'events'
      ? this.events.decode({ ...request, buffer, length })
      : this.signals.decode({ ...request, buffer, length });
  }
}
