// One round: 64 keep-alive connections, each asking again as soon as it is answered. An answer that is not 2xx,
// or a connection that fails, fails the benchmark: a server that refuses is fast and proves nothing.

import autocannon from 'autocannon'
import type { Child } from './child.ts'

type HeaderRecord = Readonly<Record<string, string>>

/** What is sent again and again. */
export interface LoadRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: HeaderRecord
  readonly body?: string
  /** More headers, other ones for each request. Without it the bytes to send are made once. */
  readonly vary?: () => HeaderRecord
}

/** What one round gave. Latencies are milliseconds. */
export interface Round {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** Processor time of the server for one request, microseconds; null where the system does not tell. */
  readonly cpu: number | null
}

/** Connections of a round. */
export const CONNECTIONS = 64

/** Loads a server for so many seconds. */
export async function runRound(child: Child, request: LoadRequest, seconds: number): Promise<Round> {
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
    duration: seconds,
    sampleInt: 50,
  })
  run.on('response', (_client, _status, _bytes, milliseconds) => {
    latencies.push(milliseconds)
    end = performance.now()
  })
  const outcome = await run
  if (outcome.non2xx > 0 || outcome.errors > 0 || latencies.length === 0) {
    throw new Error(
      `${outcome.non2xx} answers were not 2xx, ${outcome.errors} connections failed, ${outcome['2xx']} answers were right`,
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
