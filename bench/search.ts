import { search } from '../db/search.ts'
import { measureRead } from './reads.ts'

/** What people type: a name, parts of one, a company, a number, an address, and a word that every seventh record holds. */
const TYPED = [
  'ana ruiz',
  'greta 1041',
  'moreau 17001',
  'brightside 12',
  'harbour',
  '+49 30 1000017',
  'bo.lind1001@finch-25.example',
  'carla moreau 28',
  'tidewater 31.example',
  'okafor',
]

const typed = (n: number): string => TYPED[n % TYPED.length] ?? ''

await measureRead({
  name: 'search',
  at_most_ms: 60,
  how: 'GET /api/search over leads, deals, accounts and contacts of an organization with 300,000 of 1,000,000 leads, ten different queries in turn',
  path: (_, n) => `/api/search?q=${encodeURIComponent(typed(n))}`,
  read: (ctx, _, n) => search(ctx, { q: typed(n), limit: 20 }),
})
