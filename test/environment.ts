import { variableNames } from '../env.ts'

// what is set on this machine for a real installation has no say in a test
for (const name of variableNames) if (name !== 'LOG_LEVEL') delete process.env[name]
