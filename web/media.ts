import { useEffect, useState } from 'react'

/** Whether a media query holds, now and after every change. */
export const useMedia = (query: string): boolean => {
  const [holds, setHolds] = useState(() => matchMedia(query).matches)
  useEffect(() => {
    const media = matchMedia(query)
    const onChange = () => setHolds(media.matches)
    onChange()
    media.addEventListener('change', onChange)
    return () => media.removeEventListener('change', onChange)
  }, [query])
  return holds
}

/** From here on a list and its detail fit side by side. */
export const twoColumns = '(min-width: 56.25rem)'
