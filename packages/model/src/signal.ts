/** The OTLP signals that this server receives, and the encodings in which their requests arrive. */

export const SIGNALS = ['traces', 'logs', 'metrics'] as const;
export type Signal = (typeof SIGNALS)[number];

export const BODY_FORMATS = ['protobuf', 'json'] as const;
export type BodyFormat = (typeof BODY_FORMATS)[number];

/** Content codings that receivers decode. `identity` is no coding at all. */
export const CONTENT_CODINGS = ['identity', 'gzip', 'deflate', 'zstd'] as const;
export type ContentCoding = (typeof CONTENT_CODINGS)[number];
