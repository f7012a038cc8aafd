// Whether coordinates are a point that can be a public key. Runtimes check this only when they import a key, which may be
// later, and do not check Ed25519 keys at all. Only for public values, because nothing here runs in constant time.

const P256_P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n
const P256_B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn

/** Whether y² = x³ - 3x + b (SP 800-186 section 3.2.1.3). Both coordinates are 32 bytes, big-endian. */
export function isOnP256(xBytes: Uint8Array, yBytes: Uint8Array): boolean {
  const [x, y] = [toInteger(xBytes), toInteger(yBytes)]
  return x < P256_P && y < P256_P && (y * y - (x * x * x - 3n * x + P256_B)) % P256_P === 0n
}

const ED_P = 2n ** 255n - 19n
const ED_D = 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n

/**
 * Whether 32 bytes encode a point of Ed25519 (RFC 8032 section 5.1.3) of large order. Anyone can make signatures for the
 * eight points of small order, and not every runtime refuses them.
 */
export function isOnEd25519(bytes: Uint8Array): boolean {
  const y = BigInt.asUintN(255, toInteger(bytes.toReversed()))
  if (y >= ED_P) return false
  const square = (y * y) % ED_P
  // x² = (y² - 1) / (d y² + 1) has a root when the product of both does (Euler's criterion).
  const product = ((square - 1n) * (ED_D * square + 1n)) % ED_P
  // Points of order 1 and 2 have x = 0, points of order 4 have y = 0, and doubling a point of order 8 gives y = 0.
  const isSmall = (y * (square - 1n) * (ED_D * square * square + 2n * square - 1n)) % ED_P === 0n
  return !isSmall && power(product, (ED_P - 1n) / 2n, ED_P) === 1n
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  let factor = ((base % modulus) + modulus) % modulus
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * factor) % modulus
    factor = (factor * factor) % modulus
  }
  return result
}

/** The integer in big-endian bytes. */
function toInteger(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = value * 256n + BigInt(byte)
  return value
}
