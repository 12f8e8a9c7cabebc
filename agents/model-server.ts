import {
  APICallError,
  type LanguageModelV4,
  type LanguageModelV4StreamPart,
  type LanguageModelV4StreamResult,
} from '@ai-sdk/provider'

/** A server that can be asked in a newer and an older format; `address` is what it is remembered by. */
export type ModelServer = { address: string; newer: LanguageModelV4; older: LanguageModelV4 }

/**
 * One model at a server of which it is not known which format it speaks: the newer is tried first, and a server
 * that does not know it (404, 405, 501) is asked in the older one, from then on without trying.
 */
export const asServerSpeaks = ({ address, newer, older }: ModelServer): LanguageModelV4 => {
  const ask = async <T>(call: (model: LanguageModelV4) => PromiseLike<T>): Promise<T> => {
    const known = spoken.get(address)
    if (known) return call(known === 'older' ? older : newer)
    try {
      const answer = await call(newer)
      spoken.set(address, 'newer')
      return answer
    } catch (error) {
      if (!isUnknownPath(error)) throw error
    }
    // A model that the server does not have is a 404 as well: only an answer proves what it speaks.
    const answer = await call(older)
    spoken.set(address, 'older')
    return answer
  }
  return {
    specificationVersion: 'v4',
    provider: newer.provider,
    modelId: newer.modelId,
    supportedUrls: newer.supportedUrls,
    doGenerate: (options) => ask((model) => model.doGenerate(options)),
    doStream: (options) => ask((model) => model.doStream(options)),
  }
}

/** The message of the error that ends a stream whose last frame never came. */
export const cutOff = 'The stream ended before the answer was complete.'

/**
 * The same model, whose streams are whole or an error. A provider package ends a stream that stopped early as a
 * short success, and after an unreadable frame it still hands on the tool calls that follow: both end in an error.
 */
export const answersWhole = (model: LanguageModelV4): LanguageModelV4 => ({
  specificationVersion: 'v4',
  provider: model.provider,
  modelId: model.modelId,
  supportedUrls: model.supportedUrls,
  doGenerate: (options) => model.doGenerate(options),
  doStream: async (options) => {
    const result = await model.doStream(options)
    return { ...result, stream: result.stream.pipeThrough(endsWhole(result)) }
  },
})

/** What each server was found to speak, for as long as the process lives. */
const spoken = new Map<string, 'newer' | 'older'>()

const isUnknownPath = (error: unknown): boolean =>
  APICallError.isInstance(error) && [404, 405, 501].includes(error.statusCode ?? 0)

const endsWhole = (result: LanguageModelV4StreamResult) =>
  new TransformStream<LanguageModelV4StreamPart, LanguageModelV4StreamPart>({
    transform: (part, controller) => {
      if (part.type === 'error') return controller.error(part.error)
      if (part.type !== 'finish' || part.finishReason.unified !== 'interrupted')
        return controller.enqueue(part)
      controller.error(
        new APICallError({
          message: cutOff,
          url: result.request?.url ?? '',
          requestBodyValues: undefined,
          statusCode: 200,
          responseHeaders: result.response?.headers ?? {},
          isRetryable: true,
        }),
      )
    },
  })
