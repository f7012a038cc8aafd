// A worker thread that requests a URL every 20 ms for `ms` milliseconds. At the end it posts how many milliseconds each
// answer took.

import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'

const { url, ms } = workerData as { readonly url: string; readonly ms: number }
const agent = new Agent({ keepAlive: true })

function ask(): Promise<number> {
  const begun = performance.now()
  return new Promise((resolve, reject) => {
    const request = get(url, { agent }, (answer) => {
      answer.resume()
      answer.once('end', () => {
        if (answer.statusCode === 200) resolve(performance.now() - begun)
        else reject(new Error(`${url} answered ${answer.statusCode}`))
      })
    })
    request.once('error', reject)
  })
}

const asked: Promise<number>[] = []
for (const end = performance.now() + ms; performance.now() < end; await sleep(20)) asked.push(ask())
parentPort?.postMessage(await Promise.all(asked))
agent.destroy()
