/**
 * What the key of a value says about it: a prompt, a completion, the id of a user, a name, a secret. One judgement for keys of
 * JSON objects and of attributes, over the conventions of OpenTelemetry (gen_ai.*), OpenInference (llm.*, input.value),
 * OpenLLMetry (traceloop.*), the AI SDK (ai.*), Langfuse, MLflow and plain events.
 *
 * Must stay true: numbers about a text (tokens, costs, times) and names of models, tools and roles are not texts.
 */

import type { NameKind } from './assigned.ts';
import { nameKind } from './assigned.ts';
import type { Bytes } from './bytes.ts';
import { latin1 } from './bytes.ts';
import type { TextKind } from './policy.ts';

export interface KeyKind {
  /** The kind of text under this key. */
  readonly text: TextKind | undefined;
  /** What of a person the value is. */
  readonly person: 'email' | 'person' | 'phone' | undefined;
  readonly secret: NameKind | undefined;
  /** The value is part of the form of a conversation: a role, a type. */
  readonly isForm: boolean;
}

export const NO_KEY: KeyKind = { text: undefined, person: undefined, secret: undefined, isForm: false };

/** Last words of keys that hold something about a text and not the text. */
const ABOUT = new Set(
  (
    'tokens token count counts cost costs price length size bytes ms seconds time times id ids version type types role roles model ' +
    'models hash label format mime rate status code ratio score scores reason reasons details index timestamp date duration at enabled ' +
    'limit temperature provider modalities modality modified created retries attempts level max min total latency'
  ).split(' '),
);
const TOOLS =
  /(?:tool|function)_?(?:call|calls|use)?s?_(?:.*_)?(?:arg|args|arguments|result|results|input|inputs|output|outputs|parameters|response|json|content|value)$|(?:tool|function)_calls?$|^(?:tools_used|arguments|tool_args)$|_arguments$|_tool_calls_/u;
const PROMPTS =
  /(?:^|_)prompts?(?:_|$)|(?:^|_)(?:input_messages|system_instructions?|system_message|user_message|user_input|user_query|span_inputs|llm_request|request_messages|input_text|input_value|retrieval_documents|document_content|reranker_query|embedding_text|prompt_template)(?:_|$)|^(?:messages|message_history|conversation|chat_history|inputs?|question|instructions|content|contents|system|context_documents)$|(?:^|_)(?:observation|trace|entity|span|task|chain|agent|workflow)_inputs?$|^gen_ai_(?:content|event_content)/u;
const COMPLETIONS =
  /(?:^|_)completions?(?:_|$)|(?:^|_)(?:output_messages|output_text|output_value|response_text|response_content|response_body|assistant_message|generated_text|span_outputs|llm_response|reasoning_content|thinking|answer)(?:_|$)|^(?:outputs?|choices|response|reply|generation|reasoning|reasoning_text)$|(?:^|_)(?:observation|trace|entity|span|task|chain|agent|workflow)_outputs?$|^(?:ai|gen_ai|llm)_response_(?:text|object|content|message|messages|reasoning)/u;
const USERS =
  /(?:^|_)(?:end)?users?(?:_?ids?|_identifier|_uuid|_guid|_sub|_handle|_key)?$|^(?:.*_)?(?:customer|member|patient|visitor|employee|student|subscriber|distinct|person|contact)_?id$|^uid$/u;
const PHONE = /(?:^|_)(?:phone|mobile|telephone|tel|fax|cell|msisdn|whatsapp)(?:_?(?:number|no|nr))?$|phone_?number/u;
const EMAIL = /(?:^|_)e?_?mail(?:_?address)?$|(?:^|_)emails?$/u;
const PERSON =
  /(?:^|_)(?:user|first|last|full|given|family|middle|maiden|nick|sur|legal|real|customer|employee|patient|contact|recipient|sender)_?names?$|^(?:.*_)?(?:username|login|surname|firstname|lastname|fullname|nickname)$|(?:^|_)(?:street|street_address|home_address|postal_address|billing_address|shipping_address|mailing_address|address_line_?\d?|postal_code|zip_?code|postcode|birth_?date|birthday|dob|date_of_birth|place_of_birth|passport(?:_number)?|ssn|social_security_number|tax_id|national_id|driver_?s?_license|iban|client_ip|ip_address|remote_ip)$|(?:^|_)user_(?:full_name|display_name|address|city|gender|age)$/u;
const FORM = new Set(
  'role type finish_reason stop_reason mime_type mimetype media_type id tool_call_id call_id index object model status format detail language modality tool_name function_name'.split(
    ' ',
  ),
);

const MAX_KEY = 200;
const MAX_KNOWN = 4_096;

/** Judges a key. */
export function judgeKey(written: string): KeyKind {
  // What stands for something else says nothing by its own words.
  const key = written.replaceAll(/\[redacted:[a-z]+\]/gu, ' ');
  const name = wordsOf(key);
  const text = textKind(name);
  const person = PHONE.test(name) ? 'phone' : EMAIL.test(name) ? 'email' : PERSON.test(name) ? 'person' : undefined;
  return { text, person, secret: nameKind(key), isForm: FORM.has(name) };
}

/** A key as words in small letters with `_` between: `userId`, `user.id` and `user-id` are the same. */
function wordsOf(key: string): string {
  return key
    .slice(-MAX_KEY)
    .replaceAll(/([a-z0-9])([A-Z])/gu, '$1_$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/gu, '_')
    .replaceAll(/^_+|_+$/gu, '');
}

function textKind(name: string): TextKind | undefined {
  if (USERS.test(name)) return 'users';
  if (ABOUT.has(name.slice(name.lastIndexOf('_') + 1)) || name.endsWith('_name')) return undefined;
  if (TOOLS.test(name)) return 'tools';
  if (COMPLETIONS.test(name)) return 'completions';
  return PROMPTS.test(name) ? 'prompts' : undefined;
}

/** Judgements by the bytes of the key: senders use the same few again and again. */
export class KeyMemory {
  private readonly known = new Map<number, { readonly key: Uint8Array; readonly kind: KeyKind }>();

  /** The judgement of the key in `[start, end)`, which is text without escapes. */
  of(bytes: Bytes, start: number, end: number): KeyKind {
    let hash = (0x811c_9dc5 ^ (end - start)) | 0;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x0100_0193);
    const found = this.known.get(hash);
    if (found !== undefined && isSame(found.key, bytes, start, end)) return found.kind;
    const kind = judgeKey(latin1(bytes, start, end));
    if (this.known.size >= MAX_KNOWN) this.known.clear();
    this.known.set(hash, { key: Uint8Array.prototype.slice.call(bytes, start, end), kind });
    return kind;
  }
}

function isSame(key: Bytes, bytes: Bytes, start: number, end: number): boolean {
  if (key.length !== end - start) return false;
  for (let index = 0; index < key.length; index++) if (key[index] !== bytes[start + index]) return false;
  return true;
}
