// Stops with a clear message when Node is too old. Loaded before everything else, and plain JavaScript, because an older Node
// cannot parse our source and would only print a syntax error.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `claimgate needs Node 22.18 or later, and this is ${process.version}.\n` +
      'In a checkout, run npm ci with install scripts allowed, and then start it through npm (npm start): npm ci installs the right Node.\n',
  )
  process.exit(1)
}
