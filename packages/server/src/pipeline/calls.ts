/**
 * Events that report calls of models and are kept as generations only: from a request's body to the block of generations. What is no
 * generation leaves nothing behind; it is counted by its reason, for the sender to be told.
 *
 * Must stay true: a request that fails leaves the block exactly as it was. Nothing is read before what may not be stored is out
 * of it, but for whose a line is, where that decides.
 */

import { isUtf8 } from 'node:buffer';
import type { Placement } from '@glasshouse/model';
import { AppError, invariant } from '@glasshouse/model';
import { Unfit } from '../generations/line-reasons.ts';
import type { LineReason } from '../generations/line-reasons.ts';
import type { Generations } from '../generations/maker.ts';
import { timeWindow } from '../otlp/reject.ts';
import type { Decoded } from './decode.ts';
import { MAX_DAYS } from './decode.ts';
import type { EventsOptions } from './events.ts';
import { eachEvent } from './lines.ts';
import type { SentBody } from './plain.ts';
import { plainOf } from './plain.ts';
import type { Redactor } from './redactor.ts';
import type { Share } from './share.ts';
import { chooser } from './share.ts';

/** Whose the calls of a request are. */
export interface CallsTarget {
  readonly tenant: string;
  /** The project and the environment of the sender's key; undefined where the lines say themselves whose they are. */
  readonly placement?: Placement | undefined;
  /** Only these of the events are taken; all unless it is given. */
  readonly share?: Share | undefined;
}

export type CallsBody = CallsTarget & Omit<SentBody, 'rules'>;

export class CallsReader {
  private readonly options: EventsOptions;
  private readonly generations: Generations;
  private readonly redactor: Redactor;

  constructor(options: EventsOptions, generations: Generations, redactor: Redactor) {
    this.options = options;
    this.generations = generations;
    this.redactor = redactor;
  }

  /** Appends the generations of a request to the block. Throws AppError, and then nothing was appended. */
  decode(body: CallsBody): Decoded {
    const { generations } = this;
    generations.mark();
    try {
      const decoded = this.append(body);
      if (generations.block.days.byDay().size > MAX_DAYS) {
        const why = `its events fall on more than ${MAX_DAYS} days; send fewer days at once`;
        throw new AppError('bad_request', `cannot take the request: ${why}`);
      }
      return decoded;
    } catch (error) {
      generations.rollback();
      throw error;
    }
  }

  private append({ tenant, placement, share, ...sent }: CallsBody): Decoded {
    const { now, retentionMs, maxAheadMs, maxBodyBytes } = this.options;
    const isByLine = placement === undefined && this.redactor.differs(tenant);
    const rules = isByLine ? undefined : this.redactor.rulesFor(placement ?? { tenant });
    const { bytes } = plainOf({ ...sent, rules }, 0, sent.length, maxBodyBytes);
    const redacted = isByLine ? (line: string, place: Placement) => this.redacted(line, place) : undefined;
    const window = timeWindow(now(), retentionMs, maxAheadMs);
    const read = this.generations.lines({ tenant, filter: '', placement, redacted }, window);
    // Else its lines would be taken and be nowhere.
    invariant(read, 'lines without a filter are not read');
    const isIn = share === undefined ? undefined : chooser(share);
    const isValid = isUtf8(bytes);
    const unfit = new Unfit();
    let [accepted, left, repaired] = [0, 0, 0];
    eachEvent(bytes, (start, end) => {
      if (isIn?.(bytes.subarray(start, end)) === false) {
        left++;
        return;
      }
      const reason = read(bytes, start, end, isValid);
      if (reason !== undefined) unfit.add(exactly(reason, bytes.toString('utf8', start, end)));
      else {
        accepted++;
        if (!isValid && !isUtf8(bytes.subarray(start, end))) repaired++;
      }
    });
    const messages = [
      unfit.message,
      repaired > 0 ? `replaced invalid UTF-8 in ${repaired} events` : '',
      left > 0 ? `left out ${left} of ${left + accepted + unfit.total} events: the source takes a share of them` : '',
    ];
    return {
      accepted,
      rejected: left,
      unfit: unfit.total,
      reasons: [...unfit.counts],
      message: messages.filter((message) => message !== '').join('; '),
    };
  }

  private redacted(line: string, placement: Placement): string {
    const rules = this.redactor.rulesFor(placement);
    return rules === undefined ? line : Buffer.from(rules.events(Buffer.from(line))).toString('utf8');
  }
}

/** Which of the two a line is that is no call. */
function exactly(reason: LineReason, line: string): LineReason {
  if (reason !== 'no_call') return reason;
  try {
    const value = JSON.parse(line) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? reason : 'not_json';
  } catch {
    return 'not_json';
  }
}
