// A SAML 2.0 identity provider on a loopback port: whoever types a name is that person.
import { createServer } from "node:http";
import samlp from "samlp";

const { port, issuer, key, cert, platforms } = JSON.parse(process.argv[2]);
const answersAt = new Map(platforms.map(({ id, answers }) => [id, answers]));

/** What is told of someone, under plain names. */
function profile(person) {
  return {
    getClaims: () => ({ uid: person.name, displayName: `Person ${person.name}`, groups: person.groups, employee: `E-${person.name}` }),
    getNameIdentifier: () => ({ nameIdentifier: person.name, nameIdentifierFormat: person.format }),
  };
}
profile.prototype.metadata = [];

/** What samlp expects of an answer, on the one of Node. */
function plain(response) {
  response.set = (name, value) => response.setHeader(name, value);
  response.send = (body) => (typeof body === "number" ? response.writeHead(body).end() : response.end(body));
  return response;
}

async function typedInto(request) {
  let text = "";
  for await (const part of request) text += part;
  return new URLSearchParams(text);
}

const page = "<!doctype html><title>Works SAML</title><form method=post><label>Name <input name=login></label><button>Sign in</button></form>";
const metadata = samlp.metadata({ issuer, cert, profileMapper: profile, redirectEndpointPath: "/sso", postEndpointPath: "/sso" });

createServer(async (request, response) => {
  const url = new URL(request.url, `http://127.0.0.1:${port}`);
  Object.assign(request, { protocol: "http", originalUrl: request.url, query: Object.fromEntries(url.searchParams), body: {} });
  const failed = (error) => response.writeHead(500).end(String(error));
  if (url.pathname === "/metadata") return metadata(request, plain(response));
  if (request.method !== "POST") return response.writeHead(200, { "content-type": "text/html" }).end(page);
  const typed = await typedInto(request);
  // What a test wants otherwise: a lifetime, an algorithm, who is told, what is signed.
  const otherwise = JSON.parse(typed.get("otherwise") || "{}");
  const person = { name: typed.get("login"), groups: (typed.get("groups") ?? "").split(",").filter(Boolean), format: otherwise.format };
  samlp.parseRequest(request, (error, asked) => {
    const platform = asked?.issuer ?? otherwise.unasked;
    const answers = answersAt.get(platform);
    if (error || !answers) return failed(error ?? `${platform} is not known here`);
    if (asked && asked.assertionConsumerServiceURL !== answers) return failed(`${asked.assertionConsumerServiceURL} is not where ${platform} is`);
    const options = {
      issuer, key, cert, audience: platform, destination: answers, recipient: answers, lifetimeInSeconds: 300, profileMapper: profile,
      getUserFromRequest: () => person, getPostURL: (_audience, _request, _from, done) => done(null, answers), ...otherwise,
    };
    if (otherwise.refuse) {
      const refusal = { ...options, inResponseTo: asked.id, error: { code: otherwise.refuse }, getPostURL: (_from, done) => done(null, answers) };
      return samlp.sendError(refusal)(request, plain(response), failed);
    }
    return samlp.auth(options)(request, plain(response), failed);
  });
}).listen(port, "127.0.0.1", () => console.log(JSON.stringify({ port })));
