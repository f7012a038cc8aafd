// A request on a real socket, headers exactly as given, and all that came back.

import { request } from 'node:http'

export interface Answer {
  readonly status: number
  /** Lines of one name joined by commas; undefined: none. */
  header(name: string): string | undefined
  /** Lines of one name. */
  lines(name: string): readonly string[]
  readonly text: string
}

export function ask(
  url: string,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
  method = 'GET',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const lines = Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : [...value],
    ])
    const asking = request(url, { method, headers: Object.fromEntries(lines), agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part) => {
        text += part
      })
      response.on('error', reject)
      response.on('end', () => {
        const found = (name: string) => response.headersDistinct[name] ?? []
        resolve({
          status: response.statusCode ?? 0,
          header: (name) => found(name).join(', ') || undefined,
          lines: found,
          text,
        })
      })
    })
    asking.setTimeout(20_000, () => asking.destroy(new Error(`${method} ${url}: no answer`)))
    asking.on('error', reject)
    asking.end()
  })
}
