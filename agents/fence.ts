/** Text from outside between tags that say so; the end of the fence cannot be written inside it. */
export const fenced = (tag: 'file' | 'task', text: string): string =>
  `<${tag}>\n${text.replaceAll(new RegExp(String.raw`<(?=\s*\/?\s*${tag}\b)`, 'gi'), '‹')}\n</${tag}>`
