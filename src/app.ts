// The service as a Hono app: the table of paths and their routes. wiring/ builds the routes. node.ts and worker.ts read
// the environment and choose the adapters.

import { Hono } from 'hono'
import { NOWHERE, type Route } from './http/context.ts'
import { paths } from './http/paths.ts'
import { createServe } from './http/serve.ts'
import type { AppDeps } from './wiring/deps.ts'
import { createRoutes, type Routes } from './wiring/routes.ts'

/** Every path pattern of the service and its route. The first pattern that matches decides. */
function listPaths(routes: Routes): Readonly<Record<string, Route>> {
  return {
    [paths.claim]: routes.claim,
    [paths.claimAlias]: routes.claim,
    [paths.multiset]: routes.multiset,
    [paths.multisetAlias]: routes.multiset,
    '/v1/m2m/*': routes.multisetNotFound,
    '/m2m/*': routes.multisetNotFound,
    [paths.aifabrix]: routes.aifabrix,
    ...routes.oauth,
    [paths.whoami]: routes.whoami,
    [`${paths.forwardAuth}/*`]: routes.forwardAuth,
    [paths.keySet]: routes.keySet,
    [paths.revocations]: routes.revocations,
    '/.well-known/*': routes.wellKnownNotFound,
    ...routes.admin,
    [paths.sdk]: routes.sdk,
    [paths.docs]: routes.docs,
    [paths.health]: routes.health,
    [paths.ready]: routes.ready,
    [paths.metrics]: routes.metrics,
  }
}

/**
 * Creates the service as a Hono app from its parts; see {@link AppDeps}. Does no I/O: the caller has loaded the keys and
 * opened the store. `openMemoryDeps` gives all parts, in memory; to run a service, use `openService` of `claimgate/server`.
 *
 * @example
 * const config = parseConfig({ CLAIMGATE_ISSUER: 'https://auth.example.com', DATABASE_URL: 'memory:' })
 * const app = createApp(await openMemoryDeps(config))
 * const answer = await app.request('/healthz')
 */
export function createApp(deps: AppDeps): Hono {
  const { config, peerOf, targetOf } = deps
  const app = new Hono()
  const serve = createServe({
    docs: config.issuer + paths.docs,
    trustedProxies: config.trustedProxies,
    forwardedHeader: config.forwardedHeader,
    now: deps.now,
    log: deps.log,
    metrics: deps.metrics,
    logsRequests: config.logLevel === 'debug',
  })
  for (const [path, route] of Object.entries(listPaths(createRoutes(deps)))) {
    app.all(path, (context) =>
      serve(route, context.req.raw, peerOf(context), context.req.param(), targetOf?.(context)),
    )
  }
  app.notFound((context) => serve(NOWHERE, context.req.raw, peerOf(context)))
  return app
}
