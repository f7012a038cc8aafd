// nginx from test/examples/nginx.conf. Only where it writes is changed: into the test's folder.

import { describeProxy } from './behind-proxy.ts'

describeProxy({
  command: 'nginx',
  example: 'nginx.conf',
  adapt: (text) =>
    text.replace(
      'http {',
      'http {\n  access_log off;\n  client_body_temp_path body;\n  proxy_temp_path proxy;',
    ),
  parameters: (folder, file) => [
    ...['-p', folder, '-c', file],
    ...['-g', 'daemon off; master_process off; pid nginx.pid; error_log stderr;'],
  ],
})
