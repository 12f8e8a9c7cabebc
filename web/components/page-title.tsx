import { useEffect } from 'react'

/** Names the page in the tab and for screen readers. */
export const PageTitle = ({ title }: { title: string }) => {
  useEffect(() => {
    document.title = `${title} · Leadhand`
  }, [title])
  return null
}
