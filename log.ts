import { pino, type Logger } from 'pino'

const secretKeys = [
  'authorization',
  'cookie',
  'password',
  'token',
  'api_key',
  'apiKey',
  'secret',
  'key',
  'body',
]
const secretPaths = ['', '*.', '*.*.', '*.*.*.'].flatMap((depth) => [
  ...secretKeys.map((key) => `${depth}${key}`),
  `${depth.slice(0, -1)}["set-cookie"]`,
])

/** A level pino knows; anything else is refused by `readEnv`, which needs no logger to say so. */
const level = () => {
  const wanted = process.env.LOG_LEVEL?.trim().toLowerCase() || 'info'
  return wanted === 'silent' || wanted in pino.levels.values ? wanted : 'info'
}

/**
 * What is safe to log of an error: its name, message, code and stack. Values that a database driver attaches
 * to its errors (parameters, row contents) stay out.
 */
export const describeError = (error: unknown): object => {
  if (!(error instanceof Error)) return { message: String(error) }
  return {
    name: error.name,
    message: withoutParameters(error.message),
    ...('code' in error && { code: error.code }),
    stack: error.stack
      ?.split('\n')
      .filter((line) => line.startsWith('    at '))
      .join('\n'),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  }
}

/** Structured log lines, one JSON object each, without bodies and without secrets. */
export const log: Logger = pino({
  level: level(),
  base: undefined,
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (label) => ({ level: label }) },
  hooks: {
    logMethod(args, method) {
      const [subject, message] = args
      // without a message of ours pino takes the error's, as it is
      const error: unknown = Object(subject) instanceof Error ? subject : Object(subject).err
      if (message === undefined && error instanceof Error)
        method.apply(this, [subject, withoutParameters(error.message)])
      else method.apply(this, args)
    },
  },
  serializers: { err: describeError, error: describeError },
  redact: { paths: secretPaths, censor: '[redacted]' },
})

// drizzle's message ends with the values of the failed query
const withoutParameters = (message: string): string => message.split('\nparams:')[0] ?? ''
