import { defineConfig } from 'vitest/config'

// what is set on this machine for a real installation has no say in a test: blank counts as unset
const unset = [
  ...['DATABASE_URL', 'DATABASE_APP_URL', 'DATABASE_DIRECT_URL', 'DATA_DIR', 'PORT', 'HOST', 'APP_URL'],
  ...[
    'APP_SECRET',
    'APP_SECRET_PREVIOUS',
    'MODEL',
    'OPENAI_API_KEY',
    'OPENAI_BASE_URL',
    'SMTP_URL',
    'MAIL_FROM',
  ],
  ...['BOOTSTRAP_ORGANIZATION', 'BOOTSTRAP_EMAIL', 'BOOTSTRAP_PASSWORD', 'BOOTSTRAP_API_KEY'],
  ...['BOOTSTRAP_INTAKE_TOKEN', 'SEED_DEMO', 'ALLOW_PRIVATE_HOSTS', 'MAX_UPLOAD_MB'],
]

const shared = {
  env: { ...Object.fromEntries(unset.map((name) => [name, ''])), LOG_LEVEL: 'silent' },
  globalSetup: 'test/database.ts',
  hookTimeout: 60_000,
}

/** Three suites: `unit` and `e2e` are `npm test`, `evals` is `npm run evals`. */
export default defineConfig({
  test: {
    projects: [
      { test: { ...shared, name: 'unit', include: ['test/*.test.ts'], testTimeout: 30_000 } },
      {
        test: {
          ...shared,
          name: 'e2e',
          include: ['test/e2e/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      { test: { ...shared, name: 'evals', include: ['evals/*.eval.ts'], testTimeout: 300_000 } },
    ],
  },
})
