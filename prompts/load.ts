import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What an agent is told: Markdown with {{holes}}, and a version that changes exactly when its words do. */
export type Prompt = {
  name: string
  /** The first 12 hex digits of the SHA-256 of the file, so that a run says which words it was given. */
  version: string
  /** The names of the holes, in the order in which they first appear. */
  holes: string[]
  /**
   * The prompt with its holes filled, each value verbatim: a value that looks like a hole stays as it is.
   * @throws Error naming every hole that got no value and every value that has no hole.
   */
  render: (values: Record<string, string>) => string
}

/**
 * Reads `<folder>/<name>.md` once per process, so that every run of a process is told the same words.
 *
 * @example loadPrompt('lead_worker').render({ organization: 'Acme' })
 * @throws Error when there is no such prompt, naming those that exist, or when a hole is malformed.
 */
export const loadPrompt = (name: string, folder: string = import.meta.dirname): Prompt => {
  const path = join(folder, `${name}.md`)
  const known = loaded.get(path)
  if (known) return known
  const prompt = promptFrom(name, readPrompt(name, folder))
  loaded.set(path, prompt)
  return prompt
}

const loaded = new Map<string, Prompt>()
const hole = /\{\{\s*([a-z][a-z0-9_]*)\s*\}\}/g

const readPrompt = (name: string, folder: string): string => {
  const path = join(folder, `${name}.md`)
  if (!/^[a-z][a-z0-9_-]*$/.test(name) || !existsSync(path)) {
    const names = existsSync(folder)
      ? readdirSync(folder)
          .filter((file) => file.endsWith('.md'))
          .map((file) => file.slice(0, -3))
          .toSorted()
      : []
    throw new Error(
      `There is no prompt “${name}” in ${folder}. Prompts there: ${names.join(', ') || 'none'}.`,
    )
  }
  // A checkout with Windows line ends holds the same words, so it has the same version.
  return readFileSync(path, 'utf8').replaceAll('\r\n', '\n')
}

const promptFrom = (name: string, text: string): Prompt => {
  const holes = [...new Set([...text.matchAll(hole)].map((match) => match[1] ?? ''))]
  const malformed = text.replaceAll(hole, '').match(/.{0,20}(\{\{|\}\}).{0,20}/)
  if (malformed) {
    throw new Error(`Prompt “${name}” has a malformed hole near “${malformed[0]}”: write {{snake_case}}.`)
  }
  return {
    name,
    version: createHash('sha256').update(text).digest('hex').slice(0, 12),
    holes,
    render: (values) => {
      const missing = holes.filter((key) => !Object.hasOwn(values, key))
      const extra = Object.keys(values).filter((key) => !holes.includes(key))
      if (missing.length > 0 || extra.length > 0) {
        const faults = [
          missing.length > 0 ? `no value for ${missing.join(', ')}` : '',
          extra.length > 0 ? `no hole for ${extra.join(', ')}` : '',
        ].filter(Boolean)
        throw new Error(`Prompt “${name}” cannot be filled: ${faults.join('; ')}.`)
      }
      return text.replaceAll(hole, (_, key: string) => values[key] ?? '')
    },
  }
}
