// The id of a request: in the answer to a refused one, and in what the API's developer is told about it.

const ids = new WeakMap<object, string>()

/** The id of this request object, the same at every call. Created at the first call, so an accepted request costs nothing. */
export function requestIdOf(request: object): string {
  const known = ids.get(request)
  if (known !== undefined) return known
  const id = crypto.randomUUID()
  ids.set(request, id)
  return id
}
