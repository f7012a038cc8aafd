// Runs one round: 64 keep-alive connections, each of which sends the next request when it has the answer. An answer other
// than 2xx or a failed connection fails the benchmark, because refusing requests is fast.

import autocannon from 'autocannon'
import type { Child } from './child.ts'

type HeaderRecord = Readonly<Record<string, string>>

/** The request that every connection of a round repeats. */
export interface LoadRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: HeaderRecord
  readonly body?: string
  /** Returns additional headers for each request. Without it, all requests are the same bytes, which are created once. */
  readonly vary?: () => HeaderRecord
}

/** The result of one round. Latencies are in milliseconds. */
export interface Round {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** CPU time of the server for one request, in microseconds. Null on systems other than Linux. */
  readonly cpu: number | null
}

/** Number of concurrent connections in a round. */
export const CONNECTIONS = 64

/** How long a round is: in seconds, or in requests. */
export type RoundLength = { readonly seconds: number } | { readonly requests: number }

/** Sends requests to a server. Rejects when an answer is not 2xx or a connection fails. */
export async function runRound(child: Child, request: LoadRequest, length: RoundLength): Promise<Round> {
  const { method, path, headers, body, vary } = request
  const latencies: number[] = []
  const cpuBefore = child.readCpuTime()
  const start = performance.now()
  let end = start
  const run = autocannon({
    url: child.url + path,
    method,
    headers,
    body,
    requests: vary && [{ setupRequest: (given) => ({ ...given, headers: { ...headers, ...vary() } }) }],
    connections: CONNECTIONS,
    ...('seconds' in length ? { duration: length.seconds } : { amount: length.requests }),
    sampleInt: 50,
  })
  run.on('response', (_client, _status, _bytes, milliseconds) => {
    latencies.push(milliseconds)
    end = performance.now()
  })
  const outcome = await run
  if (outcome.non2xx > 0 || outcome.errors > 0 || latencies.length === 0) {
    throw new Error(
      `${outcome.non2xx} answers were not 2xx, ${outcome.errors} connections failed, ${outcome['2xx']} answers were 2xx`,
    )
  }
  const cpuAfter = child.readCpuTime()
  latencies.sort((a, b) => a - b)
  return {
    perSecond: latencies.length / ((end - start) / 1000),
    p50: latencies[Math.floor(latencies.length * 0.5)] as number,
    p99: latencies[Math.floor(latencies.length * 0.99)] as number,
    cpu: cpuBefore === null || cpuAfter === null ? null : (cpuAfter - cpuBefore) / latencies.length,
  }
}
