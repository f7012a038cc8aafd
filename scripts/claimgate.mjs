#!/usr/bin/env node
// The command line: from source in a checkout, compiled in an installed package. Node's version is checked first,
// in plain JavaScript, since an older Node could not even read what follows.
import './check-node.mjs'
import { existsSync } from 'node:fs'

const source = new URL('../src/cli/main.ts', import.meta.url)
await import(existsSync(source) ? source.href : new URL('../dist/cli/main.js', import.meta.url).href)
