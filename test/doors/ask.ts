// Sends a request with exactly these headers over a real socket, and reads the whole answer.

import { request } from 'node:http'

export interface Answer {
  readonly status: number
  /** The lines of one header joined by commas; undefined when there is none. */
  header(name: string): string | undefined
  /** The lines of one header, separately. */
  lines(name: string): readonly string[]
  readonly text: string
}

/** Rejects when there is no answer within 20 seconds. A header with a list of values is sent as several lines. */
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
