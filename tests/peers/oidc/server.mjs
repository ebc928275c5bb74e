// A certified OpenID Connect provider on a loopback port: whoever types a name is that person.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const { port, clients } = JSON.parse(process.argv[2]);
const groupsOf = new Map();

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: clients.map(({ id, secret, redirect }) => ({ client_id: id, client_secret: secret, redirect_uris: [redirect] })),
  claims: { openid: ["sub"], profile: ["name", "preferred_username", "groups"] },
  cookies: { keys: ["only for tests"] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_context, interaction) => `/login/${interaction.uid}` },
  pkce: { required: () => true },
  // One client gets tokens that have expired already.
  ttl: { IdToken: (_context, _token, client) => (client.clientId === "stale" ? -600 : 600) },
  findAccount: (_context, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: `Person ${sub}`, preferred_username: sub, groups: groupsOf.get(sub) ?? [] }),
  }),
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope("openid profile");
    await grant.save();
    return grant;
  },
});

const page = "<!doctype html><title>Works sign-in</title><form method=post><label>Name <input name=login></label><input name=groups type=hidden><button>Sign in</button></form>";

async function bodyOf(request) {
  let text = "";
  for await (const part of request) text += part;
  return new URLSearchParams(text);
}

const answer = provider.callback();
createServer(async (request, response) => {
  if (!request.url.startsWith("/login/")) return answer(request, response);
  if (request.method !== "POST") return response.writeHead(200, { "content-type": "text/html" }).end(page);
  const typed = await bodyOf(request);
  const accountId = typed.get("login");
  groupsOf.set(accountId, (typed.get("groups") ?? "").split(",").filter(Boolean));
  return provider.interactionFinished(request, response, { login: { accountId } });
}).listen(port, "127.0.0.1", () => console.log(JSON.stringify({ port })));
