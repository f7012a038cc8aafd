// Express 4, installed as `express4` without types. The parts that the tests use have the types of Express 5.

declare module 'express4' {
  export { default } from 'express'
}
