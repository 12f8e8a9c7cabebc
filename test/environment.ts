import { afterAll } from 'vitest'
import fc from 'fast-check'
import { variableNames } from '../env.ts'
import { seed } from './random.ts'

fc.configureGlobal({ seed })

// what is set on this machine for a real installation has no say in a test
for (const name of variableNames) if (name !== 'LOG_LEVEL') delete process.env[name]

// nor what another test file set: they share a process
const before = { ...process.env }
afterAll(() => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
  Object.assign(process.env, before)
})
