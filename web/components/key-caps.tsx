import { isMac } from '../hotkeys.ts'
import { keyBinding, keyCaps, type KeyId } from '../keys.ts'

/** The caps of a bound key, for the eye only: the act itself is named beside them. */
export const KeyCaps = ({ id, tone = 'plain' }: { id: KeyId; tone?: 'plain' | 'fill' }) => (
  <Caps keys={keyBinding(id).keys} tone={tone} />
)

/** The caps of keys in the registry's notation. */
export const Caps = ({ keys, tone = 'boxed' }: { keys: string; tone?: 'plain' | 'fill' | 'boxed' }) => (
  <span className="inline-flex items-center gap-0.5 text-11 max-sm:hidden" aria-hidden>
    {keyCaps(keys, isMac).map((cap, index) =>
      cap === 'then' ? (
        <span key={index} className="px-0.5 text-ink-3">
          then
        </span>
      ) : (
        <kbd key={index} className={`font-sans ${tones[tone]}`}>
          {cap}
        </kbd>
      ),
    )}
  </span>
)

const tones = {
  plain: 'text-ink-3',
  fill: 'text-on-fill',
  boxed:
    'inline-flex h-5 min-w-5 items-center justify-center rounded-tag border border-line bg-hover px-1 text-ink-2',
}
