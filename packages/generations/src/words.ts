/**
 * Tables of words: what clients write, in lower case, and the one word that we keep. What is not in a table is kept as it is
 * where the table is open, and is nothing where it isn't.
 */

export interface WordTable {
  readonly words: Readonly<Record<string, string>>;
  /** Whether a word that is not listed is kept. */
  readonly open: boolean;
}

/** Operations by the words of conventions and libraries; an `a` in front is LiteLLM's for asynchronous. */
const OPERATION_WORDS: Readonly<Record<string, readonly string[]>> = {
  chat: [
    'chat',
    'completion',
    'acompletion',
    'chat_completion',
    'chat.completion',
    'chat.completions',
    'text_generation',
    'generate_content',
    'llm',
    'llm_call',
    'generation',
    'responses',
    'aresponses',
    'anthropic_messages',
    'ai.generatetext.dogenerate',
    'ai.streamtext.dostream',
    'ai.generateobject.dogenerate',
    'ai.streamobject.dostream',
  ],
  text_completion: ['text_completion', 'atext_completion'],
  embeddings: ['embeddings', 'embedding', 'aembedding', 'ai.embed.doembed', 'ai.embedmany.doembed'],
  image_generation: ['image_generation', 'aimage_generation', 'image', 'image.generation', 'ai.generateimage'],
  image_edit: ['image_edit', 'aimage_edit'],
  speech: ['speech', 'aspeech', 'audio_generation', 'ai.generatespeech'],
  transcription: ['transcription', 'atranscription', 'ai.transcribe'],
  video_generation: ['video_generation', 'avideo_generation', 'video'],
  moderation: ['moderation', 'amoderation'],
  rerank: ['rerank', 'arerank', 'reranker'],
};

const MODALITY_OF: Readonly<Record<string, string>> = {
  chat: 'text',
  text_completion: 'text',
  embeddings: 'embedding',
  image_generation: 'image',
  image_edit: 'image',
  speech: 'audio',
  transcription: 'text',
  video_generation: 'video',
};

const operations = Object.entries(OPERATION_WORDS).flatMap(([operation, words]) =>
  words.map((word) => [word, operation] as const),
);

export const OPERATION: WordTable = { words: Object.fromEntries(operations), open: true };

/** The modality that an operation has if the client doesn't name one. */
export const MODALITY_OF_OPERATION: WordTable = {
  words: Object.fromEntries(
    operations.flatMap(([word, operation]) => {
      const modality = MODALITY_OF[operation];
      return modality === undefined ? [] : [[word, modality] as const];
    }),
  ),
  open: false,
};

/** What conventions call the type of output. */
export const MODALITY: WordTable = {
  words: { text: 'text', json: 'text', image: 'image', speech: 'audio', audio: 'audio', video: 'video' },
  open: false,
};

export const STATUS: WordTable = {
  words: { success: 'ok', ok: 'ok', error: 'error', failure: 'error', failed: 'error' },
  open: false,
};

/** Codes of `opentelemetry.proto.trace.v1.Status`: unset is no error. */
export const SPAN_STATUS: WordTable = { words: { '0': 'ok', '1': 'ok', '2': 'error' }, open: false };

/** An HTTP status as the outcome. */
export const HTTP_OUTCOME: WordTable = {
  words: Object.fromEntries(
    Array.from({ length: 500 }, (_, index) => [String(index + 100), index < 300 ? 'ok' : 'error'] as const),
  ),
  open: false,
};
