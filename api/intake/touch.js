// Leadhand: remembers by which way a visitor came, once they agree. Plain, so that anybody can read what it does.
;(() => {
  const script = document.currentScript
  const url = script.src.replace(/\/touch\.js.*$/, '/intake/touch/') + script.dataset.token
  const VISITOR = 'leadhand_visitor'
  const LAST = 'leadhand_touch'
  const WAYS = /^(utm_\w+|gclid|gbraid|wbraid|dclid|msclkid|fbclid|ttclid|twclid|li_fat_id)$/
  let store
  try {
    store = localStorage
  } catch {
    // The browser keeps nothing for this site.
  }
  // Whoever asks not to be followed is not, whatever is clicked.
  const off = !store || navigator.globalPrivacyControl || navigator.doNotTrack === '1'
  const visitor = () => (off ? null : store.getItem(VISITOR))
  const newId = () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join(
      '',
    )

  const mark = (form) => {
    const id = visitor()
    let field = form.querySelector(`[name=${VISITOR}]`)
    if (!id) return field?.remove()
    if (form.method !== 'post') return
    if (!field) {
      field = document.createElement('input')
      field.type = 'hidden'
      field.name = VISITOR
      form.append(field)
    }
    field.value = id
  }
  const markAll = () => Array.from(document.forms).forEach(mark)

  const touch = () => {
    const { origin, pathname, search } = location
    const ways = [...new URLSearchParams(search)].filter(([name]) => WAYS.test(name))
    const page = `${origin}${pathname}?${new URLSearchParams(ways)}`
    const from = document.referrer.split(/[?#]/)[0]
    const outside = from && !from.startsWith(`${origin}/`)
    const [at, before] = (store.getItem(LAST) ?? '').split(' ')
    const now = Date.now()
    // A way in is told of once: not every page of a visit, not the same page anew.
    if (now - at < 18e5 && (page === before || !(ways.length || outside))) return
    store.setItem(LAST, `${now} ${page}`)
    const visit = { consent: true, id: newId(), visitor_id: visitor(), page, referrer: outside ? from : '' }
    navigator.sendBeacon(url, JSON.stringify(visit))
  }

  const consent = (given) => {
    const yes = given && !off
    if (!yes) [VISITOR, LAST].forEach((key) => store?.removeItem(key))
    else {
      if (!visitor()) store.setItem(VISITOR, newId())
      touch()
    }
    markAll()
    return yes
  }

  window.leadhand = { consent, visitor }
  document.addEventListener('submit', ({ target }) => mark(target), true)
  document.addEventListener('DOMContentLoaded', markAll)
  if (off) consent(false)
  else if (visitor() || script.dataset.consent === 'granted') consent(true)
})()
