// A guard is a line of code that a security rule depends on. Each row says how break-guards.ts breaks one, and which tests
// must then fail.

/** One guard, and how to break it. */
export interface Guard {
  /** The rule that holds because of this guard. */
  readonly what: string
  /** The file that contains the guard. */
  readonly file: string
  /** Text of the guard, which occurs exactly once in the file. */
  readonly from: string
  /** The text that replaces `from` and breaks the guard. */
  readonly to: string
  /** Paths of test files, or their beginnings. At least one of the tests must fail. */
  readonly tests: readonly string[]
}

const enforce = 'src/claims/enforce.ts'
const threats = ['test/verify/threats']
const proofs = [
  'test/verify/verify-proof.test.ts',
  'test/verify/enforce-key.test.ts',
  'test/verify/proof-budget.test.ts',
]

export const guards: readonly Guard[] = [
  {
    what: 'a signature is checked before claims are used',
    file: 'src/verify/verify.ts',
    from: 'isValid ?',
    to: 'isValid || true ?',
    tests: threats,
  },
  {
    what: 'the algorithm of a token is that of its key',
    file: 'src/verify/verify.ts',
    from: 'key.alg !== decoded.alg',
    to: 'false',
    tests: threats,
  },
  {
    what: 'a remembered token ends when its key does',
    file: 'src/verify/verify.ts',
    from: ' && keys.get(entry.key.kid) === entry.key',
    to: '',
    tests: ['test/verify', 'test/service', 'test/signing'],
  },
  {
    what: 'a remembered token still expires',
    file: 'src/verify/verify.ts',
    from: 'const reason = enforceTime(verified.claims, policy.clockTolerance, now)',
    to: 'const reason = undefined as Reason | undefined',
    tests: threats,
  },
  {
    what: 'the issuer must match',
    file: enforce,
    from: 'claims.iss !== policy.issuer',
    to: 'claims.iss === undefined',
    tests: ['test/claims/enforce.test.ts'],
  },
  {
    what: 'the audience must match',
    file: enforce,
    from: 'policy.audience.includes(audience)',
    to: 'audience.length > 0',
    tests: ['test/claims/enforce.test.ts'],
  },
  {
    what: 'a token ends at exp plus the tolerance, not after it',
    file: enforce,
    from: 'now >= claims.exp + tolerance',
    to: 'now > claims.exp + tolerance',
    tests: ['test/claims/enforce.test.ts'],
  },
  {
    what: 'a token from the future is refused',
    file: enforce,
    from: 'claims.iat > now + tolerance',
    to: 'false',
    tests: ['test/claims/enforce.test.ts'],
  },
  {
    what: 'a request without an origin does not pass an origin-bound token',
    file: enforce,
    from: "policy.missingOrigin === 'allow'",
    to: 'true',
    tests: ['test/claims/enforce.test.ts'],
  },
  {
    what: 'the origin is compared exactly',
    file: enforce,
    from: 'origin === claims.origin',
    to: 'origin.startsWith(claims.origin)',
    tests: ['test/claims/enforce.test.ts'],
  },
  {
    what: 'an unknown client address does not pass an address-bound token',
    file: enforce,
    from: 'if (address === undefined) {',
    to: 'if (address === undefined) return undefined\n  if (address === null) {',
    tests: ['test/claims/enforce.test.ts'],
  },
  {
    what: 'every scope is needed, not one of them',
    file: enforce,
    from: 'if (missing.length === 0) return undefined',
    to: 'if (missing.length === 0 || missing.length < needed.length) return undefined',
    tests: ['test/claims/enforce.test.ts'],
  },
  {
    what: 'a wildcard does not match the domain itself, only its subdomains',
    file: 'src/claims/origin-pattern.ts',
    from: 'labels.slice(1, -1)',
    to: 'labels.slice(0, -1)',
    tests: ['test/claims/origin-pattern.test.ts'],
  },
  {
    what: 'a wildcard on a public suffix is refused',
    file: 'src/claims/origin-pattern.ts',
    from: "!host.includes('.') || isPublicSuffix(host)",
    to: "!host.includes('.')",
    tests: ['test/claims/origin-pattern.test.ts'],
  },
  {
    what: 'user names in an origin are refused',
    file: 'src/claims/origin.ts',
    from: 'White_Space}\\\\@]',
    to: 'White_Space}\\\\]',
    tests: ['test/claims/origin.test.ts'],
  },
  {
    what: 'a forwarded header counts only from a trusted peer',
    file: 'src/claims/client-ip.ts',
    from: 'if (!isTrusted(address, trusted)) return address',
    to: '',
    tests: ['test/claims/client-ip.test.ts'],
  },
  {
    what: 'a preflight has one origin',
    file: 'src/claims/preflight.ts',
    from: 'ORIGIN.test(origin) &&',
    to: '',
    tests: ['test/claims/preflight.test.ts'],
  },
  {
    what: 'a scope that the credential does not have is not granted',
    file: 'src/claims/scope.ts',
    from: 'if (!asked.every((scope) => held.includes(scope))) return undefined',
    to: '',
    tests: ['test/claims/scope.test.ts'],
  },
  {
    what: 'a credential has no scope that its account lost',
    file: 'src/claims/scope.ts',
    from: 'credentialScopes.filter((scope) => accountScopes.includes(scope))',
    to: 'credentialScopes',
    tests: ['test/claims/scope.test.ts', 'test/service/narrowed-scopes.test.ts'],
  },
  {
    what: 'a name that occurs twice in a JSON object is refused',
    file: 'src/lib/json.ts',
    from: 'countColons(text) === countMembers(value)',
    to: 'true',
    tests: ['test/lib/json.test.ts'],
  },
  {
    what: 'a token with crit is refused',
    file: 'src/verify/format.ts',
    from: "!('crit' in header) && ",
    to: '',
    tests: threats,
  },
  {
    what: 'the type of a token is at+jwt',
    file: 'src/verify/format.ts',
    from: "typeof typ !== 'string' || !tokenTypes.has(typ.toLowerCase())",
    to: "typeof typ !== 'string'",
    tests: threats,
  },
  {
    what: 'two different tokens in one request are refused',
    file: 'src/verify/request/extract.ts',
    from: 'first.token !== presented.token',
    to: 'false',
    tests: ['test/doors/decisions.test.ts', 'test/e2e/forward-auth.test.ts'],
  },
  {
    what: 'a request does not pass while it is unknown whether its token is revoked',
    file: 'src/verify/judge.ts',
    from: "if (revoked === 'unavailable') return deny(REVOCATION_UNKNOWN)",
    to: '',
    tests: ['test/verify/revocation'],
  },
  {
    what: 'a proof is for one method',
    file: 'src/verify/dpop/proof.ts',
    from: 'htm !== expected.method',
    to: 'false',
    tests: proofs,
  },
  {
    what: 'a proof is for one URL',
    file: 'src/verify/dpop/proof.ts',
    from: '!isSameTarget(htu, expected.htu)',
    to: 'false',
    tests: proofs,
  },
  {
    what: 'a proof is for one token',
    file: 'src/verify/dpop/proof.ts',
    from: 'ath !== expected.ath',
    to: 'false',
    tests: proofs,
  },
  {
    what: 'a proof is made with the key of the token',
    file: 'src/verify/dpop/verify-proof.ts',
    from: 'key.jkt !== expected.jkt',
    to: 'false',
    tests: proofs,
  },
  {
    what: 'a proof works once',
    file: 'src/verify/dpop/use-proof.ts',
    from: "    case 'used':\n      return USED",
    to: "    case 'used':\n      return undefined",
    tests: proofs,
  },
  {
    what: 'a key-bound token does not pass as Bearer',
    file: 'src/verify/dpop/enforce-key.ts',
    from: "if (scheme !== 'dpop' && !isWithProof) return SENT_AS_BEARER",
    to: '',
    tests: [...proofs, 'test/verify/explain.test.ts', 'test/doors/decisions.test.ts'],
  },
  {
    what: 'a revocation list is never replaced by an older one',
    file: 'src/verify/revocation/feed.ts',
    from: 'return seq > last.seq || haveSameRules(list, last, endsBy)',
    to: 'return true',
    tests: ['test/verify/revocation'],
  },
  {
    what: 'keys, lists and secrets are sent by https only, except on this machine',
    file: 'src/claims/input/plain-http.ts',
    from: '(allowInsecure || isLoopbackHost(hostname))',
    to: 'true',
    tests: ['test/doors/options.test.ts', 'test/client/backend/options.test.ts'],
  },
  {
    what: 'an assertion must name this issuer as its audience',
    file: 'src/oauth/assertion.ts',
    from: 'audiences.includes(one)',
    to: 'one.length > 0',
    tests: ['test/oauth/assertion.test.ts'],
  },
  {
    what: 'an assertion is accepted once',
    file: 'src/oauth/client.ts',
    from: 'if (!(await storage.useAssertion(found.credential.id, used.jti, keptUntil))) return NO_CLIENT',
    to: 'await storage.useAssertion(found.credential.id, used.jti, keptUntil)',
    tests: ['test/oauth/assertion'],
  },
  {
    what: 'introspection tells a client nothing about tokens of another account',
    file: 'src/oauth/examine.ts',
    from: 'claims?.sub === account.id',
    to: 'claims !== undefined',
    tests: ['test/runtime/matrix.test.ts'],
  },
  {
    what: 'a browser is refused at an issuing endpoint',
    file: 'src/oauth/admit.ts',
    from: 'if (isFromBrowser(request.headers)) {',
    to: 'if (isFromBrowser(new Headers())) {',
    tests: ['test/oauth/browser.test.ts'],
  },
  {
    what: 'a token is issued only for an origin that the account lists',
    file: 'src/issue/issue.ts',
    from: "if (!isAllowed) return fail('origin_not_allowed')",
    to: '',
    tests: ['test/runtime/matrix.test.ts'],
  },
  {
    what: 'an account that requires an origin gets no token without one',
    file: 'src/issue/issue.ts',
    from: "if (origin === undefined && account.requireOrigin) return fail('origin_missing')",
    to: '',
    tests: ['test/issue/require-origin.test.ts'],
  },
  {
    what: 'a change is answered only after other processes have read it',
    file: 'src/admin/settle.ts',
    from: 'if (settleMs > 0) await sleep(settleMs)',
    to: '',
    tests: ['test/admin/settle.test.ts', 'test/admin/end-tokens.test.ts'],
  },
  {
    what: 'the newest of overlapping reads wins',
    file: 'src/lib/fresh-read.ts',
    from: 'if (held.ended < began) {',
    to: 'if (began > 0) {',
    tests: ['test/lib/fresh-read.test.ts'],
  },
  {
    what: 'the checksum of an account token is checked',
    file: 'src/claims/records/account-token.ts',
    from: 'checksum === expected',
    to: 'checksum !== undefined',
    tests: ['test/signing/secret.test.ts', 'test/issue/authenticate.test.ts', 'test/runtime/matrix.test.ts'],
  },
  {
    what: 'a lifetime is at most what the account allows',
    file: 'src/claims/lifetime.ts',
    from: 'accountMax ?? serverMax',
    to: 'serverMax',
    tests: ['test/runtime/matrix.test.ts'],
  },
]
