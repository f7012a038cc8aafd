// Loaded before anything else: an older Node cannot even read our files, so it must hear why in plain JavaScript.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `claimgate needs Node 22.18 or later, and this is ${process.version}.\n` +
      'In a checkout, run it through npm (npm start), after an npm ci that may run scripts: it brings its own Node.\n',
  )
  process.exit(1)
}
