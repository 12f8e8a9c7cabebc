import { Link, useRouter } from '@tanstack/react-router'
import { Compass } from 'lucide-react'
import { buttonClass } from '../components/button.tsx'
import { Empty, ErrorState } from '../components/states.tsx'

/** What an unknown address shows. */
export const MissingPage = () => (
  <main className="flex min-h-dvh flex-col items-center justify-center">
    <h1 className="sr-only">Not found</h1>
    <Empty
      icon={<Compass size={18} aria-hidden />}
      title="There is no page at this address"
      action={
        <Link to="/crm/leads" className={buttonClass()}>
          Go to leads
        </Link>
      }
    >
      Check the link, or start from your leads.
    </Empty>
  </main>
)

/** What a page shows that could not be drawn or read. */
export const PageError = ({ error }: { error: unknown }) => {
  const router = useRouter()
  return (
    <main className="flex min-h-dvh flex-col items-center justify-center">
      <h1 className="sr-only">Something failed</h1>
      <ErrorState
        what="This page could not be shown"
        error={error}
        onRetry={() => void router.invalidate()}
      />
    </main>
  )
}
