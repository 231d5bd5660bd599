/**
 * What every request with events goes through, whatever becomes of the events: whether it is let in, which is asked before its body
 * is read, and how it is answered.
 *
 * Must stay true: every answer carries the rate limit in whole numbers.
 */

import type { ServerResponse } from 'node:http';
import type { Quotas } from '../control/quotas.ts';
import { QUOTA_HEADER } from '../http/quota-header.ts';
import type { Exchange } from '../http/router.ts';
import { sendJson } from '../http/router.ts';
import type { IngestResult, Sink } from '../pipeline/sink.ts';
import type { Outcomes } from '../platform/outcomes.ts';
import type { Platform } from '../platform/platform.ts';
import type { WorkspacePrincipal } from '../platform/principal.ts';
import type { Admission, Limited } from '../platform/rate.ts';
import { rateHeaders } from '../platform/rate.ts';
import type { Admitted, SourceSwitches } from '../platform/source-switches.ts';

export interface TakingOptions {
  readonly sink: Sink;
  readonly platform: Pick<Platform, 'rates'>;
  readonly quotas: Pick<Quotas, 'admit' | 'count'>;
  readonly outcomes: Outcomes;
  readonly switches: Pick<SourceSwitches, 'admit' | 'leave'>;
  /** Asks for the segment of the events to be handed over soon. */
  readonly hurry: () => void;
  /** Largest body as it comes over the wire. */
  readonly maxBodyBytes: number;
}

/** Name of a batch. Of the answer: whether it is `new` or was `known`, and is not taken again. */
export const BATCH_HEADER = 'X-Glasshouse-Batch';

/** Longest time that an answer waits for the table; then the events are durable, and 202 says so. */
const MAX_WAIT_MS = 20_000;

/** Who sends, and where to. */
export interface Sender {
  readonly principal: WorkspacePrincipal;
  /** Name of the data source. */
  readonly source: string;
  /** Project whose quota counts besides the tenant's; empty for none. */
  readonly project: string;
}

/** Whom the bytes of the request are charged to, and what share of its events is taken. */
export interface LetIn extends Pick<Admitted, 'share'> {
  readonly limited: readonly Limited[];
}

/**
 * Lets a request in, by rates, quotas and switches; undefined if its source is switched off, and it is answered. Throws `RateError`,
 * and `quota_exceeded`.
 */
export function admit(
  { response, query }: Exchange,
  { platform, quotas, switches }: TakingOptions,
  { principal, source, project }: Sender,
): LetIn | undefined {
  const { tenant, tokenId, rps } = principal;
  const limited = [{ key: `token:${tokenId}`, requestsPerSecond: rps }, { key: `datasource:${tenant}/${source}` }];
  limitHeaders(response, platform.rates.admit(limited));
  const warning = quotas.admit(tenant, project);
  if (warning !== undefined) response.setHeader(QUOTA_HEADER, warning);
  const { isOff, share } = switches.admit(tenant, source);
  if (!isOff) return { limited, share };
  switches.leave(tenant, source, { requests: 1, events: 0 });
  // Taken, as far as the sender has to know: it could do nothing about any other answer but fail, or send again for ever.
  const off = { successful_rows: 0, quarantined_rows: 0, warning: `data source ${source} is switched off` };
  sendJson(response, query.get('wait') === 'true' ? 200 : 202, off);
  return undefined;
}

/** Answers a request whose events are durable, after they are in the table if it asks to wait for that. */
export async function answerTaken(
  { response, query }: Exchange,
  { outcomes, hurry }: TakingOptions,
  { accepted, unfit, message, segment }: IngestResult,
  importId: string,
): Promise<void> {
  const note = message === '' ? {} : { warning: message };
  const waits = query.get('wait') === 'true';
  if (waits && segment !== undefined) {
    hurry();
    const outcome = await outcomes.of(segment, importId, accepted, MAX_WAIT_MS);
    if (outcome !== undefined) {
      const { successful, quarantined } = outcome;
      sendJson(response, 200, { successful_rows: successful, quarantined_rows: quarantined + unfit, ...note });
      return;
    }
  }
  const status = waits && accepted === 0 ? 200 : 202;
  sendJson(response, status, { successful_rows: accepted, quarantined_rows: unfit, ...note });
}

export function limitHeaders(response: ServerResponse, admission: Admission): void {
  for (const [name, value] of Object.entries(rateHeaders(admission))) response.setHeader(name, value);
}
