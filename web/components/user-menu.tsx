import { Menu as BaseMenu } from '@base-ui/react/menu'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { ChevronsUpDown, Keyboard, LogOut, Monitor, Moon, Sun } from 'lucide-react'
import { send } from '../api.ts'
import { useConnection } from '../events.ts'
import { meQuery } from '../queries.ts'
import { useTheme, type Theme } from '../theme.ts'
import { ActorMark } from './actor-mark.tsx'
import { KeyCaps } from './key-caps.tsx'
import { Menu, MenuChoices, MenuItem, MenuLine } from './menu.tsx'
import { useShell } from './shell-context.ts'
import { announceError } from '../toasts.ts'

/** The person at the foot of the sidebar: theme, keys, sign out, and whether changes arrive live. */
export const UserMenu = ({ textClass }: { textClass: string }) => {
  const { data: me } = useQuery(meQuery)
  const [theme, chooseTheme] = useTheme()
  const shell = useShell()
  const signOut = useSignOut()
  const name = me?.user.name ?? ''
  return (
    <>
      <ConnectionDot textClass={textClass} />
      <Menu
        width={216}
        trigger={
          <button
            type="button"
            className="flex h-9 w-full items-center gap-2.5 rounded-control px-1 text-left hover:bg-hover data-[popup-open]:bg-active"
          >
            <ActorMark actor={{ kind: 'user', name }} />
            <span className={`min-w-0 flex-1 truncate ${textClass}`}>
              <span className="sr-only">Account menu of </span>
              {name}
            </span>
            <ChevronsUpDown
              size={14}
              className={`shrink-0 text-ink-3 ${textClass && 'max-md:hidden'}`}
              aria-hidden
            />
          </button>
        }
      >
        <div className="px-2 py-1.5">
          <div className="truncate font-medium">{name}</div>
          <div className="truncate text-12 text-ink-3">
            {me?.user.email} · {me?.role}
          </div>
        </div>
        <MenuLine />
        <BaseMenu.Group>
          <BaseMenu.GroupLabel className="px-2 py-1 text-12 text-ink-3">Theme</BaseMenu.GroupLabel>
          <MenuChoices value={theme} choices={themes} onChoose={chooseTheme} label="Theme" />
        </BaseMenu.Group>
        <MenuLine />
        <MenuItem
          icon={<Keyboard size={16} aria-hidden />}
          hint={<KeyCaps id="help" />}
          onClick={shell.showKeys}
        >
          Keyboard shortcuts
        </MenuItem>
        <MenuItem icon={<LogOut size={16} aria-hidden />} onClick={() => void signOut()}>
          Sign out
        </MenuItem>
      </Menu>
    </>
  )
}

/** Ends the session and forgets what was read. */
export const useSignOut = () => {
  const queries = useQueryClient()
  const router = useRouter()
  return async () => {
    try {
      await send('POST', '/api/auth/sign-out', {})
    } catch (error) {
      announceError('Not signed out', error)
      return
    }
    await router.navigate({ to: '/sign-in' })
    queries.clear()
  }
}

const ConnectionDot = ({ textClass }: { textClass: string }) => {
  const lost = useConnection() === 'lost'
  return (
    <div role="status">
      {lost && (
        <div className="mb-1 flex h-7 items-center gap-2.5 px-2 text-12 text-bad-text">
          <span className="size-2 shrink-0 rounded-full bg-bad-mark" aria-hidden />
          <span className={textClass}>Disconnected. Retrying</span>
        </div>
      )}
    </div>
  )
}

const themes: { value: Theme; label: string; icon: React.ReactNode }[] = [
  {
    value: 'system',
    label: 'Same as device',
    icon: <Monitor size={16} className="text-ink-2" aria-hidden />,
  },
  { value: 'light', label: 'Light', icon: <Sun size={16} className="text-ink-2" aria-hidden /> },
  { value: 'dark', label: 'Dark', icon: <Moon size={16} className="text-ink-2" aria-hidden /> },
]
