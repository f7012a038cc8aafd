// Caddy with test/examples/Caddyfile. Its admin port is off, so that several instances can run at the same time.

import { describeProxy } from './behind-proxy.ts'
import { describeNoWayRound } from './no-way-round.ts'
import { describeVerdicts } from './proxy-verdicts.ts'
import type { ProxyKind } from './proxy-world.ts'

const caddy: ProxyKind = {
  command: 'caddy',
  example: 'Caddyfile',
  adapt: (text) => `{\n\tadmin off\n}\n${text}`,
  unreachable: 502,
  open: (text) => text.replace('status 200\n\t\t\t\theader X-Claim-Subject *', 'status 4xx'),
  parameters: (_, file) => ['run', '--adapter', 'caddyfile', '--config', file],
}

describeProxy(caddy)
describeNoWayRound(caddy)
describeVerdicts(caddy)
