// Finds and makes elements, and shortens texts for display.

/** The element with this id; throws when the page has none. */
export function find<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id)
  if (!element) throw new Error(`the page has no #${id}`)
  return element as T
}

/** An element with attributes and children. Text is text, never markup. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children)
  return element
}

/** A text with its tokens and proofs shortened. */
export function shorten(text: string): string {
  return text.replace(
    /[\w-]{16,}\.[\w-]{16,}\.[\w-]{16,}/g,
    (token) => `${token.slice(0, 8)}…${token.slice(-6)}`,
  )
}

/** Resolves after this number of milliseconds. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
