// The Hono app as a Worker.

import { createHonoApp } from './hono.ts'

interface Env {
  readonly KEYS: string
  readonly UPSTREAM: string
}

let app: ReturnType<typeof createHonoApp> | undefined

export const worker = {
  fetch(request: Request, env: Env): Response | Promise<Response> {
    app ??= createHonoApp(JSON.parse(env.KEYS), env.UPSTREAM)
    return app.fetch(request)
  },
}
