// Requests that are preflights, and requests that only look like preflights. A preflight passes without a token, so tests
// try all of them on the preflight check itself, on forward auth and behind every published proxy configuration.

/** One request. A list of header values is sent as one line for each value, so an empty list sends no line. */
export interface PreflightRow {
  readonly name: string
  /** Method of the request, by default OPTIONS. */
  readonly method?: string
  /** Value or values of `Origin`. */
  readonly origin: string | readonly string[]
  /** Value or values of `Access-Control-Request-Method`. */
  readonly asks: string | readonly string[]
}

const SITE = 'https://shop.example.net'

const origins: readonly string[] = [
  SITE,
  'http://localhost:5173',
  'https://a.b.example.net:8443',
  'https://xn--bcher-kva.example',
  'http://192.0.2.7',
  'http://[2001:db8::1]:8080',
  'capacitor://localhost',
  'ionic://localhost',
  'tauri://localhost',
  'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
  'moz-extension://7b5f2f3c-9f1e-4c57-8d4a-0e6d1c3b2a19',
  'app://.',
  'app+x-1.0://Some_Host',
  'null',
]

/** Headers of valid preflights, which must pass. */
export const preflights: readonly PreflightRow[] = [
  ...origins.map((origin) => ({ name: `from ${origin}`, origin, asks: 'PUT' })),
  ...['GET', 'PATCH', 'delete', 'M-SEARCH', "!#$%&'*+.^_`|~0"].map((asks) => ({
    name: `for ${asks}`,
    origin: SITE,
    asks,
  })),
]

const invalidOrigins: readonly string[] = [
  '',
  'a b',
  'Null',
  'null null',
  'null, null',
  'null,',
  '*',
  'shop.example.net',
  'shop.example.net:443',
  '//shop.example.net',
  'https:shop.example.net',
  'https:/shop.example.net',
  'https://',
  'https://:443',
  'https:///',
  `${SITE}/`,
  `${SITE}/cart`,
  `${SITE}?q`,
  `${SITE}#top`,
  `${SITE}:`,
  `${SITE}:port`,
  `${SITE}:123456`,
  'https://user@shop.example.net',
  'https://shop.example.net, https://shop.example.net',
  'https://shop.example.net,https://shop.example.net',
  'https://shop.example.net https://pay.example.net',
  'https://shop .example.net',
  'https://shop.example.net;',
  '"https://shop.example.net"',
  '<https://shop.example.net>',
  'https://shop.example.net\\',
  'https://*.example.net',
  'https://[::1',
  'https://[g::1]',
  '1https://shop.example.net',
  'https://b\u00fccher.example',
]
const invalidMethods: readonly string[] = [
  '',
  'G T',
  'G\tT',
  'GET,POST',
  'GET, POST',
  'GET,',
  ',',
  'GET;q=1',
  'GET/1',
  '"GET"',
  'G(T)',
  'G=T',
  'G@T',
  'G\u00cbT',
  '{GET}',
  'GET:',
]

/** Headers of requests that are not preflights, which must not pass. */
export const lookalikes: readonly PreflightRow[] = [
  ...invalidOrigins.map((origin) => ({ name: `Origin: ${origin}`, origin, asks: 'GET' })),
  ...invalidMethods.map((asks) => ({ name: `Access-Control-Request-Method: ${asks}`, origin: SITE, asks })),
  { name: 'no Origin', origin: [], asks: 'GET' },
  { name: 'no Access-Control-Request-Method', origin: SITE, asks: [] },
  { name: 'neither header', origin: [], asks: [] },
  { name: 'two lines of Origin', origin: [SITE, SITE], asks: 'GET' },
  { name: 'two different lines of Origin', origin: [SITE, 'null'], asks: 'GET' },
  { name: 'an empty line of Origin first', origin: ['', SITE], asks: 'GET' },
  { name: 'an empty line of Origin last', origin: [SITE, ''], asks: 'GET' },
  { name: 'two lines of the method', origin: SITE, asks: ['GET', 'GET'] },
  { name: 'two different lines of the method', origin: SITE, asks: ['GET', 'PUT'] },
  { name: 'an empty line of the method', origin: SITE, asks: ['GET', ''] },
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'options', 'OPTIONSX', 'OPTION'].map((method) => ({
    name: `method ${method}`,
    method,
    origin: SITE,
    asks: 'GET',
  })),
]
