/**
 * Damaged requests: every one is stored or refused with bad_request; a refused one leaves no trace; and what lies behind the
 * body in its buffer never matters, which shows that nothing is read past the end and believed.
 *
 * GLASSHOUSE_FUZZ_CASES and GLASSHOUSE_FUZZ_SEED make longer and other runs by hand.
 */
import type { Signal } from '@glasshouse/model';
import { AppError, SIGNALS } from '@glasshouse/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MessageName } from '../otlp/fields.ts';
import { ROOT_MESSAGES } from '../otlp/fields.ts';
import { protobufEncoder, requests, settle } from '../otlp/message-reference.ts';
import { damaged } from '../otlp/mutate-reference.ts';
import { Random } from '../otlp/wire-reference.ts';
import { BODY_SLACK } from '../otlp/wire.ts';
import { Decoder } from './decode.ts';

const CASES = Number(process.env['GLASSHOUSE_FUZZ_CASES'] ?? 60_000);
const SEED = Number(process.env['GLASSHOUSE_FUZZ_SEED'] ?? 4711);
/** Cases between two comparisons of the blocks. */
const BATCH = 60;
/** Larger samples would only make the run slower. */
const MAX_SAMPLE_BYTES = 2500;

const NOW_MS = Date.UTC(2026, 0, 15);
const PLACEMENT = { tenant: 'default', project: 'default', environment: 'dev' };

function newDecoder(): Decoder {
  return new Decoder({
    maxBodyBytes: 1 << 20,
    maxJsonBytes: 1 << 20,
    retentionMs: 30 * 86_400_000,
    maxAheadMs: 3_600_000,
    now: () => NOW_MS,
  });
}

function samplesOf(signal: Signal, random: Random): Buffer[] {
  const encode = protobufEncoder();
  const clock = {
    nowNs: BigInt(NOW_MS) * 1_000_000n,
    spanNs: 10n * 86_400_000_000_000n,
    random,
    taken: new Set<bigint>(),
  };
  return fc
    .sample(requests(signal), { numRuns: 400, seed: SEED })
    .map((request) => encode(signal, settle(signal, request, clock)))
    .filter((bytes) => bytes.length < MAX_SAMPLE_BYTES && bytes.length > 20);
}

/** What a decode comes to: the result as text, or undefined if it was refused. Anything but bad_request is thrown. */
function outcomeOf(decoder: Decoder, signal: Signal, body: Buffer, slack: Buffer): string | undefined {
  const buffer = new ArrayBuffer(body.length + BODY_SLACK);
  const bytes = new Uint8Array(buffer);
  bytes.set(body);
  bytes.set(slack, body.length);
  try {
    const decoded = decoder.decode({
      signal,
      format: 'protobuf',
      coding: 'identity',
      placement: PLACEMENT,
      buffer,
      length: body.length,
    });
    return JSON.stringify(decoded);
  } catch (error) {
    if (error instanceof AppError && error.code === 'bad_request') return undefined;
    throw new Error(`cannot decode body=${body.toString('hex')}`, { cause: error });
  }
}

function bytesOf(decoder: Decoder): Buffer {
  return Buffer.concat(decoder.blocks.filter(({ rows }) => rows > 0).flatMap((block) => block.pieces()));
}

describe('Decoder', () => {
  for (const signal of SIGNALS) {
    it(`takes or refuses damaged ${signal}, whatever lies behind the body`, { timeout: 600_000 }, () => {
      const random = new Random(SEED);
      const samples = samplesOf(signal, random);
      const name: MessageName = ROOT_MESSAGES[signal];
      const [first, second, clean] = [newDecoder(), newDecoder(), newDecoder()];
      const poison = Buffer.alloc(BODY_SLACK, 0xff);
      const counts = { taken: 0, refused: 0, rows: 0 };
      for (let done = 0; done < CASES / SIGNALS.length;) {
        const bodies: Buffer[] = [];
        for (let inBatch = 0; inBatch < BATCH; inBatch++, done++) {
          const body = damaged(name, samples, random);
          bodies.push(body);
          const slack = random.pick([
            Buffer.alloc(BODY_SLACK),
            Buffer.alloc(BODY_SLACK, 0x80),
            random.bytes(BODY_SLACK),
            random.pick(samples).subarray(0, BODY_SLACK),
          ]);
          const outcome = outcomeOf(first, signal, body, poison);
          if (outcomeOf(second, signal, body, slack) !== outcome)
            throw new Error(`the outcome depends on the slack: body=${body.toString('hex')}`);
          if (outcome === undefined) counts.refused++;
          else {
            counts.taken++;
            outcomeOf(clean, signal, body, poison);
          }
        }
        const [stored, other, expected] = [bytesOf(first), bytesOf(second), bytesOf(clean)];
        if (!stored.equals(other) || !stored.equals(expected)) {
          throw new Error(`the blocks differ: bodies=${bodies.map((body) => body.toString('hex')).join(' ')}`);
        }
        for (const decoder of [first, second, clean]) {
          for (const block of decoder.blocks) {
            if (decoder === first) counts.rows += block.rows;
            block.reset();
          }
        }
      }
      // The damage must be of all degrees, or the run proves nothing.
      expect(counts.taken).toBeGreaterThan(CASES / 60);
      expect(counts.refused).toBeGreaterThan(CASES / 60);
      expect(counts.rows).toBeGreaterThan(CASES / 60);
    });
  }
});
