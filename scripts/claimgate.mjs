#!/usr/bin/env node
// The command line: runs the source in a checkout, the compiled files in an installed package. Node's version is checked
// first, in plain JavaScript, because an older Node cannot parse the source.
import './check-node.mjs'
import { existsSync } from 'node:fs'

const source = new URL('../src/cli/main.ts', import.meta.url)
await import(existsSync(source) ? source.href : new URL('../dist/cli/main.js', import.meta.url).href)
