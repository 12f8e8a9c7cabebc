import { expect } from 'vitest'
import { WebError } from '../tools/vendors/web-error.ts'
import type { FetchOptions } from '../tools/vendors/web.ts'
import { startWebsite, type Page, type Website } from './website.ts'

/** How a reading failed. */
export const failure = async (reading: Promise<unknown>): Promise<WebError> => {
  const error = await reading.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(WebError)
  return error as WebError
}

/** Runs with a website whose host may be read. */
export const withSite = async <T>(
  pages: Record<string, Page>,
  run: (site: Website, options: FetchOptions) => Promise<T>,
): Promise<T> => {
  const site = await startWebsite(pages)
  try {
    return await run(site, { allow: new Set([site.host]) })
  } finally {
    await site.stop()
  }
}
