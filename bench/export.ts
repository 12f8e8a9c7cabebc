import { conclude, interleave, print } from './comparison.ts'
import { connect } from '../db/client.ts'
import { openLargeDatabase, serveLargeDatabase } from './large-database.ts'
import { access } from './product.ts'

const database = await openLargeDatabase()
const product = await serveLargeDatabase(database)
const bare = connect(database.owner_url, { max: 1 })
try {
  /** Lines of an answer per second, the first one not counted. */
  const lines = async (body: AsyncIterable<Uint8Array>): Promise<number> => {
    const started = performance.now()
    let count = -1
    for await (const chunk of body) for (const byte of chunk) if (byte === 10) count += 1
    return count / ((performance.now() - started) / 1_000)
  }
  const ours = async (): Promise<number> => {
    const response = await fetch(`${product.url}/api/exports/leads`, {
      headers: { authorization: `Bearer ${access.api_key}` },
    })
    if (response.status !== 200 || !response.body) throw new Error(`the export answered ${response.status}`)
    return lines(response.body)
  }
  // The same columns of the table itself, written by PostgreSQL: nothing looked up, nothing made harmless.
  const limit = async (): Promise<number> =>
    lines(
      await bare
        .unsafe(
          `copy (select id, external_id, name, contact_name, company_name, title, email, phone, website, city, state, country,
            industry, message, source, campaign, landing_page, value_minor, currency, expected_close_on, forecast_category, tags
            from opportunities where organization_id = '${database.organization_id}' and kind = 'lead' order by created_at desc)
            to stdout with (format csv, header)`,
        )
        .readable(),
    )
  print(
    conclude(
      {
        name: 'export',
        unit: 'rows/s',
        more: true,
        target: { at_least: 20_000 },
        how: 'GET /api/exports/leads, 300,000 leads with every column that an import takes. Limit: COPY of the columns of the table itself by PostgreSQL',
      },
      await interleave(ours, limit),
    ),
  )
} finally {
  await bare.end({ timeout: 1 })
  await product.stop()
  await database.stop()
}
