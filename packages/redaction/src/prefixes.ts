/**
 * Secrets that show what they are by how they begin: keys and tokens of providers, JSON Web Tokens, private keys. The source
 * of each form is its provider's documentation.
 *
 * Must stay true: every pattern is sticky, has no repetition inside of a repetition over the same characters, and an upper
 * bound on its length; so it costs time in proportion to what it reads.
 */

export interface Prefix {
  /** How it begins; case matters. */
  readonly text: string;
  /** Position in `text` of the two bytes that the scan looks for: the rarest ones. */
  readonly pair: number;
  /** The whole secret. Group 1, if there is one, is the part that is replaced. */
  readonly pattern: RegExp;
  /** False if letters may stand right before it. */
  readonly isWord?: false;
  /** A last look at what matched. */
  readonly holds?: (match: string) => boolean;
}

const hasDigit = (text: string): boolean => /\d/u.test(text);

function prefix(text: string, pair: number, pattern: RegExp, holds?: (match: string) => boolean): Prefix {
  return { text, pair, pattern, ...(holds === undefined ? {} : { holds }) };
}

/** The name of a scheme, and a credential that is no word of a sentence. */
function scheme(text: string, pair: number): Prefix {
  return prefix(text, pair, new RegExp(`${text}[ \\n]{1,3}([A-Za-z0-9._~+/-]{8,4096}={0,2})`, 'dy'), (match) => {
    const credential = match.slice(text.length).trim();
    return isCredential(credential);
  });
}

/** True for what looks drawn at random rather than written: digits among letters, or capitals inside of it. */
function isCredential(text: string): boolean {
  if (text.length < 8) return false;
  if (hasDigit(text)) return /[A-Za-z]/u.test(text) || text.length >= 16;
  if (text.length >= 16 && /[a-z]/u.test(text) && /[A-Z]/u.test(text.slice(1))) return true;
  if (text.length % 4 !== 0) return false;
  const decoded = Buffer.from(text, 'base64').toString('latin1');
  return /^[\x20-\x7e]+:[\x20-\x7e]*$/u.test(decoded);
}

export const PREFIXES: readonly Prefix[] = [
  // OpenAI, Anthropic, OpenRouter, Langfuse, DeepSeek and others.
  prefix('sk-', 1, /sk-[A-Za-z0-9_-]{16,300}/dy, hasDigit),
  // Stripe.
  prefix('sk_live_', 2, /sk_live_[A-Za-z0-9]{10,250}/dy),
  prefix('sk_test_', 2, /sk_test_[A-Za-z0-9]{10,250}/dy),
  prefix('rk_live_', 2, /rk_live_[A-Za-z0-9]{10,250}/dy),
  prefix('rk_test_', 2, /rk_test_[A-Za-z0-9]{10,250}/dy),
  prefix('whsec_', 4, /whsec_[A-Za-z0-9+/=]{16,250}/dy),
  // Amazon Web Services: the id of the key, and the secret if it follows.
  prefix('AKIA', 0, /AKIA[A-Z0-9]{16}(?:[^A-Za-z0-9+/]{1,20}[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/]))?/dy),
  prefix('ASIA', 1, /ASIA[A-Z0-9]{16}(?:[^A-Za-z0-9+/]{1,20}[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/]))?/dy),
  // Google.
  prefix('AIza', 1, /AIza[A-Za-z0-9_-]{30,45}/dy),
  prefix('ya29.', 0, /ya29\.[A-Za-z0-9_-]{20,2048}/dy),
  prefix('GOCSPX-', 4, /GOCSPX-[A-Za-z0-9_-]{20,60}/dy),
  // GitHub and GitLab.
  ...['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'].map((text) =>
    prefix(text, 2, new RegExp(`${text}[A-Za-z0-9]{30,255}`, 'dy')),
  ),
  prefix('github_pat_', 6, /github_pat_[A-Za-z0-9_]{22,255}/dy),
  prefix('glpat-', 1, /glpat-[A-Za-z0-9_-]{18,255}/dy),
  // Slack.
  ...['xoxa-', 'xoxb-', 'xoxe-', 'xoxo-', 'xoxp-', 'xoxr-', 'xoxs-'].map((text) =>
    prefix(text, 0, new RegExp(`${text}[A-Za-z0-9-]{10,255}`, 'dy')),
  ),
  prefix('xapp-', 0, /xapp-[A-Za-z0-9-]{10,255}/dy, hasDigit),
  prefix('hooks.slack.com/', 5, /hooks\.slack\.com\/(?:services|workflows)\/([A-Za-z0-9/_-]{20,200})/dy),
  // Hugging Face, Groq, xAI, Perplexity, Replicate, npm, PyPI, SendGrid, DigitalOcean, Databricks, Linear, Notion, Shopify.
  prefix('hf_', 1, /hf_[A-Za-z0-9]{30,100}/dy),
  prefix('gsk_', 2, /gsk_[A-Za-z0-9]{40,100}/dy),
  prefix('xai-', 2, /xai-[A-Za-z0-9]{40,160}/dy),
  prefix('pplx-', 3, /pplx-[A-Za-z0-9]{32,100}/dy),
  prefix('r8_', 1, /r8_[A-Za-z0-9]{30,60}/dy),
  prefix('npm_', 2, /npm_[A-Za-z0-9]{30,60}/dy),
  prefix('pypi-', 3, /pypi-[A-Za-z0-9_-]{40,400}/dy),
  prefix('SG.', 0, /SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{30,60}/dy),
  prefix('dop_v1_', 2, /dop_v1_[a-f0-9]{40,80}/dy),
  prefix('dapi', 1, /dapi[a-f0-9]{32}(?:-\d)?/dy),
  prefix('lin_api_', 4, /lin_api_[A-Za-z0-9]{30,60}/dy),
  prefix('shpat_', 1, /shpat_[a-fA-F0-9]{32}/dy),
  // Of this server, and of data platforms with tokens of the same form.
  prefix('gh_', 1, /gh_[a-z0-9]{12}_[A-Za-z0-9_-]{43}/dy),
  prefix('gha_', 2, /gha_[A-Za-z0-9_-]{43}/dy),
  // JSON Web Tokens (RFC 7519), with or without a signature, and encrypted ones.
  prefix(
    'eyJ',
    1,
    /eyJ[A-Za-z0-9_-]{6,1024}(?:\.[A-Za-z0-9_-]{6,16384}(?:\.[A-Za-z0-9_-]{0,8192}){0,3}|\.\.[A-Za-z0-9_-]{6,8192})/dy,
  ),
  // Private keys in PEM (RFC 7468): to their end, or as far as they go.
  {
    text: '-----BEGIN ',
    pair: 4,
    isWord: false,
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END )[A-Za-z0-9+/=\s:,.()\\-]){0,16384}(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?/dy,
  },
  ...['Bearer', 'bearer', 'BEARER'].map((text) => scheme(text, 0)),
  ...['Basic', 'basic', 'BASIC'].map((text) => scheme(text, 0)),
];
