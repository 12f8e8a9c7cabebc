import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

/** What the logger writes when a program says `statement`, as parsed lines. */
const linesOf = (statement: string, level?: string): Record<string, unknown>[] => {
  const program = `const { log } = await import(${JSON.stringify(new URL('../log.ts', import.meta.url).href)}); ${statement}`
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, LOG_LEVEL: level },
    encoding: 'utf8',
  })
  expect(ran.stderr).toBe('')
  return ran.stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

it('writes one JSON object per line', () => {
  const [line, ...more] = linesOf(`log.info({ lead_id: '1' }, 'received')`)
  expect(more).toEqual([])
  expect(line).toMatchObject({ level: 'info', lead_id: '1', msg: 'received' })
  expect(Date.parse(String(line?.time))).not.toBeNaN()
})

it('keeps secrets and bodies out, at any depth a request has', () => {
  const secrets = `{ authorization: 'canary', cookie: 'canary', 'set-cookie': 'canary', password: 'canary', token: 'canary',
    api_key: 'canary', secret: 'canary', key: 'canary', body: { message: 'canary' }, kept: 'plain' }`
  const text = JSON.stringify(
    linesOf(
      `const s = ${secrets}; log.info(s); log.info({ request: s }); log.info({ request: { headers: s } })`,
    ),
  )
  expect(text).not.toContain('canary')
  expect(text.match(/plain/g)).toHaveLength(3)
})

it('tells of an error what happened and where, not the values it carries', () => {
  const [line, ...alike] = linesOf(`
    const cause = Object.assign(new Error('duplicate key'), { code: '23505', detail: 'Key (email)=(canary) exists' })
    const error = new Error('Failed query: insert into contacts\\nparams: canary', { cause })
    log.error(error); log.error({ err: error }); log.error({ error }, 'it failed')`)
  expect(JSON.stringify([line, ...alike])).not.toContain('canary')
  expect([line, ...alike].map((entry) => entry?.msg)).toEqual([
    'Failed query: insert into contacts',
    'Failed query: insert into contacts',
    'it failed',
  ])
  expect(line?.err).toMatchObject({
    name: 'Error',
    message: 'Failed query: insert into contacts',
    stack: expect.stringContaining('    at '),
    cause: { message: 'duplicate key', code: '23505' },
  })
})

it('writes from the level up that was asked for, and takes info for a level it does not know', () => {
  const statements = `log.debug('fine'); log.info('usual'); log.warn('odd')`
  expect(linesOf(statements, 'warn').map(({ msg }) => msg)).toEqual(['odd'])
  expect(linesOf(statements, 'loud').map(({ msg }) => msg)).toEqual(['usual', 'odd'])
  expect(linesOf(statements, 'silent')).toEqual([])
})
