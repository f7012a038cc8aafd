// The two samples of MultiSet's M2M document, copied verbatim: a function that fetches a token, for pages and for Node.
// Tests replace only the host.

const REST = `
  const response = await fetch("https://api.multiset.ai/v1/m2m/token", {
    method: "POST",
    headers: {
      Authorization: authorization,
      "Content-Type": "application/json",
    },
    body: JSON.stringify({
      clientId,
      clientSecret,
    }),
  });

  const { token, expiresOn, error } = await response.json();

  if (error) {
    throw new Error(error);
  }

  return { token, expiresOn };
}
`

/** The host that the samples call. */
export const MULTISET_HOST = 'https://api.multiset.ai'

/** The sample for pages. It also runs in Node, which has `btoa` and `fetch` too. */
export const browserSample: string = `async function generateToken(clientId, clientSecret) {
  const authorization = "Basic " + btoa(\`\${clientId}:\${clientSecret}\`);
${REST}`

/** The sample for Node, which differs in how it encodes base64. */
export const nodeSample: string = `async function generateToken(clientId, clientSecret) {
  const authorization = "Basic " + Buffer.from(\`\${clientId}:\${clientSecret}\`).toString('base64');
${REST}`
