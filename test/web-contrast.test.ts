import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

/** The tokens of the product's two themes, read from the stylesheet that ships. */
const css = readFileSync(new URL('../web/theme.css', import.meta.url), 'utf8')
const themes = ['light', 'dark'] as const
type Oklch = [lightness: number, chroma: number, hue: number]
type Linear = [red: number, green: number, blue: number]

const states = ['accent', 'agent', 'human', 'system', 'wait', 'ok', 'bad']
const backgrounds = ['canvas', 'surface', 'raised', 'hover', 'active']
const tints = states.map((state) => `${state}-tint`)

describe.each(themes)('the %s theme', (theme) => {
  const tokens = tokensOf(theme)
  const token = (name: string): Oklch => {
    const found = tokens.get(name)
    if (!found) throw new Error(`theme.css has no token --${name}`)
    return found
  }
  const ratio = (front: string, back: string) => contrast(token(front), token(back))

  test('every token is a colour that screens can show', () => {
    expect(tokens.size).toBeGreaterThanOrEqual(35)
    for (const [name, color] of tokens) {
      for (const channel of linear(color)) {
        expect(channel, `--${name}`).toBeGreaterThan(-0.002)
        expect(channel, `--${name}`).toBeLessThan(1.002)
      }
    }
  })

  test('text is readable on every background it may stand on', () => {
    for (const ink of ['ink-1', 'ink-2', 'ink-3']) {
      for (const back of [...backgrounds, ...tints]) {
        expect(ratio(ink, back), `${ink} on ${back}`).toBeGreaterThanOrEqual(4.5)
      }
    }
    for (const state of states) {
      for (const back of [...backgrounds, `${state}-tint`]) {
        expect(ratio(`${state}-text`, back), `${state}-text on ${back}`).toBeGreaterThanOrEqual(4.5)
      }
    }
    for (const fill of ['accent-fill', 'accent-fill-hover', 'danger-fill']) {
      expect(ratio('on-fill', fill), `on-fill on ${fill}`).toBeGreaterThanOrEqual(4.5)
    }
  })

  test('icons, borders of inputs, fills and the focus ring can be made out', () => {
    const calm = ['canvas', 'surface', 'raised', 'hover']
    for (const state of states) {
      for (const back of [...calm, `${state}-tint`]) {
        expect(ratio(`${state}-mark`, back), `${state}-mark on ${back}`).toBeGreaterThanOrEqual(3)
      }
    }
    for (const back of calm) expect(ratio('control', back), `control on ${back}`).toBeGreaterThanOrEqual(3)
    for (const fill of ['accent-fill', 'danger-fill']) {
      for (const back of ['canvas', 'surface', 'raised']) {
        expect(ratio(fill, back), `${fill} on ${back}`).toBeGreaterThanOrEqual(3)
      }
    }
    for (const back of [...backgrounds, ...tints]) {
      expect(ratio('accent-mark', back), `focus ring on ${back}`).toBeGreaterThanOrEqual(3)
    }
  })
})

test('the measure itself knows black on white and grey on white', () => {
  expect(contrast([0, 0, 0], [1, 0, 0])).toBeCloseTo(21, 1)
  expect(contrast([0.708, 0, 0], [1, 0, 0])).toBeLessThan(3)
})

function tokensOf(theme: (typeof themes)[number]): Map<string, Oklch> {
  const found = new Map<string, Oklch>()
  const pattern = /--([a-z0-9-]+): light-dark\(oklch\(([^)/]+)\), oklch\(([^)/]+)\)\);/g
  for (const [, name = '', light = '', dark = ''] of css.matchAll(pattern)) {
    const [lightness = Number.NaN, chroma = Number.NaN, hue = Number.NaN] = (theme === 'light' ? light : dark)
      .split(' ')
      .map(Number)
    found.set(name, [lightness, chroma, hue])
  }
  return found
}

/** OKLCH to linear sRGB, Björn Ottosson's matrices. */
function linear([lightness, chroma, hue]: Oklch): Linear {
  const a = chroma * Math.cos((hue * Math.PI) / 180)
  const b = chroma * Math.sin((hue * Math.PI) / 180)
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ]
}

/** The contrast of WCAG 2.2 between two colours as a screen with 8 bits shows them. */
function contrast(front: Oklch, back: Oklch): number {
  const luminance = (color: Oklch) => {
    const [red, green, blue] = linear(color).map(as8Bits) as Linear
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const [light, dark] = [luminance(front), luminance(back)].toSorted((a, b) => b - a) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

function as8Bits(channel: number): number {
  const clamped = Math.min(1, Math.max(0, channel))
  const encoded = clamped <= 0.0031308 ? 12.92 * clamped : 1.055 * clamped ** (1 / 2.4) - 0.055
  const rounded = Math.round(encoded * 255) / 255
  return rounded <= 0.04045 ? rounded / 12.92 : ((rounded + 0.055) / 1.055) ** 2.4
}
