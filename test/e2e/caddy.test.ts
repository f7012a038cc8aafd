// Caddy from test/examples/Caddyfile. Its admin port is off, so that several can run.

import { describeProxy } from './behind-proxy.ts'

describeProxy({
  command: 'caddy',
  example: 'Caddyfile',
  adapt: (text) => `{\n\tadmin off\n}\n${text}`,
  parameters: (_, file) => ['run', '--adapter', 'caddyfile', '--config', file],
})
