// nginx with test/examples/nginx.conf. Only the paths that nginx writes to are changed: they are in the test's folder.

import { describeProxy } from './behind-proxy.ts'
import { describeNoWayRound } from './no-way-round.ts'
import { describeVerdicts } from './proxy-verdicts.ts'
import type { ProxyKind } from './proxy-world.ts'

const nginx: ProxyKind = {
  command: 'nginx',
  example: 'nginx.conf',
  adapt: (text) =>
    text.replace(
      'http {',
      'http {\n  access_log off;\n  client_body_temp_path body;\n  proxy_temp_path proxy;',
    ),
  unreachable: 503,
  open: (text) => text.replace('auth_request /claimgate;', '').replace('"" @preflight;', '"" @api;'),
  parameters: (folder, file) => [
    ...['-p', folder, '-c', file],
    ...['-g', 'daemon off; master_process off; pid nginx.pid; error_log stderr;'],
  ],
}

describeProxy(nginx)
describeNoWayRound(nginx)
describeVerdicts(nginx)
