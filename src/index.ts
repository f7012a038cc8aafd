// The door "claimgate": the service as a function of its parts, and its configuration.

export { createApp } from './app.ts'
export { type Config, ConfigError, type ConfigProblem, parseConfig } from './config/config.ts'
export type { CachedStorage } from './storage/cached.ts'
export type { Storage } from './storage/storage.ts'
export type { AppDeps } from './wiring/deps.ts'
