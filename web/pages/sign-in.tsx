import { PageTitle } from '../components/page-title.tsx'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, useRouter } from '@tanstack/react-router'
import { useState, type SubmitEvent } from 'react'
import { ApiError, errorText, send } from '../api.ts'
import { Button } from '../components/button.tsx'
import { TextField } from '../components/field.tsx'
import { Logo } from '../components/logo.tsx'

/** E-mail and password, and a clear word when they do not fit. */
export const SignInPage = () => {
  const { next } = route.useSearch()
  const router = useRouter()
  const queries = useQueryClient()
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const signIn = useMutation({
    mutationFn: () => send('POST', '/api/auth/sign-in/email', { email: email.trim(), password }),
    onSuccess: async () => {
      queries.clear()
      await router.invalidate()
      router.history.push(safePath(next))
    },
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    signIn.mutate()
  }
  return (
    <main className="flex min-h-dvh flex-col items-center justify-center bg-canvas px-4 pb-[12vh]">
      <PageTitle title="Sign in" />
      <div className="w-full max-w-90">
        <div className="mb-6 flex flex-col items-center gap-4 text-center">
          <Logo size={40} />
          <div>
            <h1 className="text-20 font-semibold">Sign in to Leadhand</h1>
            <p className="mt-1 text-ink-2">Agents work the leads. You stay in charge.</p>
          </div>
        </div>
        <form
          onSubmit={submit}
          className="flex flex-col gap-4 rounded-dialog border border-line bg-raised p-5 shadow-card"
        >
          {signIn.error && (
            <p role="alert" className="rounded-control bg-bad-tint px-3 py-2 text-bad-text">
              {refusal(signIn.error)}
            </p>
          )}
          <TextField
            label="E-mail"
            type="email"
            autoComplete="username"
            required
            autoFocus
            value={email}
            onChange={(event) => setEmail(event.target.value)}
          />
          <TextField
            label="Password"
            type="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
          <Button type="submit" kind="primary" busy={signIn.isPending} className="mt-1 h-9">
            Sign in
          </Button>
        </form>
      </div>
    </main>
  )
}

const route = getRouteApi('/sign-in')

const refusal = (error: Error) => {
  if (error instanceof ApiError && error.status === 401)
    return 'E-mail or password is not right. Check both and try again.'
  if (error instanceof ApiError && error.status === 429)
    return 'Too many tries. Wait a minute, then try again.'
  return errorText(error)
}

// Only paths of this site: a link must not be able to lead somewhere else after sign-in.
const safePath = (next: string | undefined) => (next && /^\/(?![/\\])/.test(next) ? next : '/crm/leads')
