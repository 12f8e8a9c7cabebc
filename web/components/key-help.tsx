import { keyBindings, type KeyScope } from '../keys.ts'
import { useCharacterKeys } from '../hotkeys.ts'
import { Dialog, DialogFoot } from './dialog.tsx'
import { Switch } from './field.tsx'
import { Caps } from './key-caps.tsx'

/** Every key of the product, by where it works. */
export const KeyHelp = ({ onClose }: { onClose: () => void }) => {
  const [on, setOn] = useCharacterKeys()
  return (
    <Dialog open onClose={onClose} title="Keyboard shortcuts" width={720}>
      <div className="columns-1 gap-8 px-5 py-4 sm:columns-2">
        {scopes.map(({ scope, title }) => (
          <section key={scope} className="mb-5 break-inside-avoid">
            <h3 className="mb-1 text-12 font-semibold text-ink-2">{title}</h3>
            <dl>
              {keyBindings
                .filter((binding) => binding.scope === scope)
                .map((binding) => (
                  <div key={binding.id} className="flex h-8 items-center justify-between gap-4">
                    <dt className="truncate">{binding.label}</dt>
                    <dd className="flex">
                      <span className="sr-only">{binding.keys}</span>
                      <Caps keys={binding.keys} />
                    </dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
      </div>
      <DialogFoot help="Single character keys can get in the way of speech input.">
        <span aria-hidden>Character keys</span>
        <Switch label="Character keys" checked={on} onChange={setOn} />
      </DialogFoot>
    </Dialog>
  )
}

const scopes: { scope: KeyScope; title: string }[] = [
  { scope: 'global', title: 'Everywhere' },
  { scope: 'go', title: 'Go to' },
  { scope: 'rows', title: 'Lists' },
  { scope: 'record', title: 'A lead' },
  { scope: 'approval', title: 'Needs you' },
]
