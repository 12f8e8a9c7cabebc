import { defineConfig } from 'vitest/config'

const shared = {
  env: { LOG_LEVEL: 'silent' },
  globalSetup: 'test/database.ts',
  hookTimeout: 60_000,
}

// evals are asked of the model that is set on this machine; tests of nothing that is set
const isolated = { setupFiles: 'test/environment.ts' }

/** Three suites: `unit` and `e2e` are `npm test`, `evals` is `npm run evals`. */
export default defineConfig({
  test: {
    // Many tests wait for a lease or a mail server: two at a time on two cores.
    maxWorkers: 2,
    // Loading the product anew for each file would take a quarter of the time. So what a file changes of a module it puts back.
    isolate: false,
    projects: [
      { test: { ...shared, ...isolated, name: 'unit', include: ['test/*.test.ts'], testTimeout: 30_000 } },
      {
        test: {
          ...shared,
          ...isolated,
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
