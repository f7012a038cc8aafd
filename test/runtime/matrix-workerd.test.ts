import { sendToSocket } from '../support/wire.ts'
import { describeRuntime } from './matrix.ts'
import { startWorkerd } from './workerd.ts'

describeRuntime('workerd with D1', { rows: 'everywhere', dropsEmptyHeaders: true }, async () => {
  const worker = await startWorkerd({})
  return {
    issuer: worker.url,
    send: (request) => sendToSocket(worker.url, request),
    stop: async () => {
      await worker.stop()
    },
  }
})
