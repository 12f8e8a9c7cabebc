import { createOpenAI } from '@ai-sdk/openai'
import { APICallError, type LanguageModelV4, type LanguageModelV4CallOptions } from '@ai-sdk/provider'
import { NoOutputGeneratedError, RetryError } from 'ai'
import { answersWhole, asServerSpeaks, cutOff } from './model-server.ts'

// The SDK would print each provider warning to standard error in its own format; they stay on the result,
// and standard error holds our log lines only.
globalThis.AI_SDK_LOG_WARNINGS = false

/** What a model charges, in minor units of `currency` per million tokens. */
export type ModelPrice = {
  input_minor_per_million: number
  output_minor_per_million: number
  currency: string
}

/** A model that is ready to be asked, and the name under which a run records it. */
export type OpenedModel = { model: LanguageModelV4; spec: string; price?: ModelPrice }

/** What opening a model needs from outside; `rules` is the built-in model, which needs no key. */
export type ModelSettings = {
  rules: LanguageModelV4
  openai_api_key?: string | undefined
  openai_base_url?: string | undefined
  /** Given by the operator; without it a run counts tokens and states no cost. */
  price?: ModelPrice | undefined
  fetch?: typeof globalThis.fetch | undefined
}

/**
 * Opens the model that a spec names: `rules`, or `openai:<name>` at OpenAI or at any compatible server.
 * OpenAI itself is asked through the Responses API. Of another server it is not known which API it speaks:
 * Responses is tried first, and a server that does not know it (404, 405, 501) is asked through chat
 * completions, from then on without trying. Nothing is stored at the provider: each request is complete.
 *
 * @throws Error on an unknown spec, a missing key or an unusable address, naming what would be accepted.
 */
export const openModel = (spec: string, settings: ModelSettings): OpenedModel => {
  if (spec === 'rules')
    return { model: settings.rules, spec, ...(settings.price ? { price: settings.price } : {}) }
  const name = /^openai:(\S+)$/.exec(spec)?.[1]
  if (!name)
    throw new Error(
      `MODEL “${spec}” is not known. Accepted: rules, or openai:<name> such as openai:gpt-5-mini.`,
    )
  const baseUrl = readBaseUrl(settings.openai_base_url)
  const atOpenAI = /(^|\.)api\.openai\.com$/.test(new URL(baseUrl).hostname)
  const key = settings.openai_api_key
  if (atOpenAI && !key) {
    throw new Error(
      `MODEL “${spec}” needs OPENAI_API_KEY, or OPENAI_BASE_URL of a compatible server that needs no key.`,
    )
  }
  // A placeholder such as “x” is no secret, and taking it out would garble every sentence.
  if (key && key.length >= 8) secrets.add(key)
  const provider = createOpenAI({
    baseURL: baseUrl,
    apiKey: key ?? '',
    fetch: key ? settings.fetch : withoutAuthorization(settings.fetch),
  })
  const responses = unstored(provider.responses(name))
  const model = atOpenAI
    ? responses
    : asServerSpeaks({ address: baseUrl, newer: responses, older: provider.chat(name) })
  return { model: answersWhole(model), spec, ...(settings.price ? { price: settings.price } : {}) }
}

/**
 * What a run cost in whole minor units: `(input × input price + output × output price) ÷ 1,000,000`,
 * rounded up, so that a run that cost something never reads as free: give it the totals of a run, not of a step.
 * Undefined without a price, or when the server did not count the tokens.
 */
export const costOf = (
  usage: { input_tokens?: number | undefined; output_tokens?: number | undefined },
  price: ModelPrice | undefined,
): number | undefined => {
  if (!price || usage.input_tokens === undefined || usage.output_tokens === undefined) return undefined
  const millionths =
    usage.input_tokens * price.input_minor_per_million + usage.output_tokens * price.output_minor_per_million
  return Math.ceil(millionths / 1_000_000)
}

/** Every way in which asking a model can fail, as a stable code. */
export type ModelErrorCode =
  | 'model_rate_limited'
  | 'model_quota_exhausted'
  | 'model_unavailable'
  | 'model_unreachable'
  | 'model_timeout'
  | 'model_cut_off'
  | 'model_answer_unreadable'
  | 'model_key_refused'
  | 'model_not_found'
  | 'model_request_refused'
  | 'model_call_cancelled'
  | 'model_failed'

/** What went wrong with a model call, in words for a person; holds no key and at most one line of the server's. */
export type ModelFault = { code: ModelErrorCode; message: string; retry_after_ms?: number }

/**
 * Whether asking again later may succeed: a rate limit, a server error, no connection, a timeout, a cut or
 * garbled answer. Not a refused key or request, a used-up quota, or a call that we cancelled ourselves.
 */
export const isTransient = (error: unknown): boolean => transient.has(explainModelError(error).code)

/**
 * Says what went wrong and, where the server said so (`Retry-After`, `retry-after-ms`), when to ask again.
 * Looks through the SDK's retry wrapper to the last error. Of a refused stream `streamText` rejects its results
 * without the reason: give this what `onError` or the stream's error part holds.
 */
export const explainModelError = (error: unknown): ModelFault => {
  const cause = realError(error)
  const code = codeOf(cause)
  const retry_after_ms = APICallError.isInstance(cause) ? retryAfter(cause.responseHeaders ?? {}) : undefined
  const said = telling.has(code) ? ` ${redacted(wordsOf(cause))}` : ''
  return {
    code,
    message: (sentences[code] + said).trim(),
    ...(retry_after_ms === undefined ? {} : { retry_after_ms }),
  }
}

const openaiBaseUrl = 'https://api.openai.com/v1'

const readBaseUrl = (given: string | undefined): string => {
  const url = (given?.trim() || openaiBaseUrl).replace(/\/+$/, '')
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new Error(
      'OPENAI_BASE_URL is not an http(s) address. Accepted: for example http://127.0.0.1:11434/v1.',
    )
  }
  return url
}

/** A local server without keys must not be sent an empty `Bearer`, which some of them refuse. */
const withoutAuthorization =
  (fetch: typeof globalThis.fetch = globalThis.fetch): typeof globalThis.fetch =>
  (input, init) => {
    const headers = new Headers(init?.headers)
    headers.delete('authorization')
    return fetch(input, { ...init, headers })
  }

/** Without this the provider keeps every prompt, and later requests refer to what it kept instead of saying it. */
const unstored = (model: LanguageModelV4): LanguageModelV4 => {
  const whole = (options: LanguageModelV4CallOptions): LanguageModelV4CallOptions => ({
    ...options,
    providerOptions: {
      ...options.providerOptions,
      openai: { store: false, ...options.providerOptions?.['openai'] },
    },
  })
  return {
    specificationVersion: 'v4',
    provider: model.provider,
    modelId: model.modelId,
    supportedUrls: model.supportedUrls,
    doGenerate: (options) => model.doGenerate(whole(options)),
    doStream: (options) => model.doStream(whole(options)),
  }
}

const sentences: Record<ModelErrorCode, string> = {
  model_rate_limited: 'The model’s rate limit is reached.',
  model_quota_exhausted: 'The model account’s quota is used up: raise it at the provider.',
  model_unavailable: 'The model server had an error.',
  model_unreachable: 'The model server cannot be reached.',
  model_timeout: 'The model did not answer in time.',
  model_cut_off: 'The model’s answer was cut off.',
  model_answer_unreadable: 'The model server’s answer cannot be read.',
  model_key_refused: 'The model server refused the key: check OPENAI_API_KEY.',
  model_not_found: 'The model server does not know this model or address: check MODEL and OPENAI_BASE_URL.',
  model_request_refused: 'The model server refused the request.',
  model_call_cancelled: 'The model call was cancelled.',
  model_failed: 'The model call failed.',
}

/** Where the server's own words help; elsewhere they are the SDK's, or hold what the model was saying. */
const telling: ReadonlySet<ModelErrorCode> = new Set([
  'model_rate_limited',
  'model_unavailable',
  'model_unreachable',
  'model_key_refused',
  'model_not_found',
  'model_request_refused',
  'model_failed',
])

const transient: ReadonlySet<ModelErrorCode> = new Set([
  'model_rate_limited',
  'model_unavailable',
  'model_unreachable',
  'model_timeout',
  'model_cut_off',
  'model_answer_unreadable',
])

const realError = (error: unknown): unknown => {
  if (RetryError.isInstance(error)) return realError(error.lastError)
  if (NoOutputGeneratedError.isInstance(error) && error.cause) return realError(error.cause)
  return error
}

const codeOf = (error: unknown): ModelErrorCode => {
  const name = error instanceof Error ? error.name : ''
  if (name === 'AbortError') return 'model_call_cancelled'
  if (name === 'TimeoutError') return 'model_timeout'
  if (unreadable.has(name)) return 'model_answer_unreadable'
  const network = networkCode(error)
  if (network && /TIMEDOUT|TIMEOUT/.test(network)) return 'model_timeout'
  const status = fieldOf(error, 'statusCode')
  if (typeof status === 'number') return codeOfStatus(status, error, network)
  return network || APICallError.isInstance(error) ? 'model_unreachable' : 'model_failed'
}

const unreadable = new Set([
  'AI_JSONParseError',
  'AI_NoObjectGeneratedError',
  'AI_TypeValidationError',
  'AI_InvalidResponseDataError',
  'AI_EmptyResponseBodyError',
])

const codeOfStatus = (status: number, error: unknown, network: string | undefined): ModelErrorCode => {
  if (status < 400)
    return network || fieldOf(error, 'message') === cutOff ? 'model_cut_off' : 'model_answer_unreadable'
  if (status === 401 || status === 403) return 'model_key_refused'
  if (status === 404 || status === 405 || status === 501) return 'model_not_found'
  if (status === 408 || status === 504) return 'model_timeout'
  if (status === 429) return isQuota(error) ? 'model_quota_exhausted' : 'model_rate_limited'
  if (status === 409 || status >= 500) return 'model_unavailable'
  return 'model_request_refused'
}

/** OpenAI answers 429 both for “slow down” and for “pay first”; only the body tells them apart. */
const isQuota = (error: unknown): boolean =>
  fieldOf(error, 'code') === 'insufficient_quota' ||
  (APICallError.isInstance(error) && (error.responseBody ?? '').includes('insufficient_quota'))

/** The system's code for a broken connection (`ECONNREFUSED`, `UND_ERR_SOCKET`), from anywhere in the chain of causes. */
const networkCode = (error: unknown, depth = 0): string | undefined => {
  const code = fieldOf(error, 'code')
  if (typeof code === 'string' && /^(E[A-Z_]{3,}|UND_ERR_\w+)$/.test(code)) return code
  const cause = fieldOf(error, 'cause')
  return cause && depth < 5 ? networkCode(cause, depth + 1) : undefined
}

const wordsOf = (error: unknown): string => {
  const message = typeof error === 'string' ? error : fieldOf(error, 'message')
  return typeof message === 'string' ? message : ''
}

const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && key in value ? Reflect.get(value, key) : undefined

const retryAfter = (headers: Record<string, string>): number | undefined => {
  const inMs = Number.parseFloat(headers['retry-after-ms'] ?? '')
  if (inMs >= 0) return Math.ceil(inMs)
  const given = headers['retry-after']
  if (!given) return undefined
  const inSeconds = Number(given)
  const ms = Number.isNaN(inSeconds) ? Date.parse(given) - Date.now() : inSeconds * 1000
  return Number.isNaN(ms) ? undefined : Math.max(0, Math.ceil(ms))
}

/** The keys this process was given, so that no message repeats one, whatever its form. */
const secrets = new Set<string>()

const redacted = (text: string): string => {
  const withoutKnown = [...secrets].reduce((kept, secret) => kept.replaceAll(secret, '[key]'), text)
  return withoutKnown
    .replaceAll(/\b(sk|pk|rk|gsk|xai)-[\w*.-]{4,}/gi, '[key]')
    .replaceAll(/Bearer\s+\S+/gi, 'Bearer [key]')
    .replaceAll(/\s+/g, ' ')
    .slice(0, 300)
}
