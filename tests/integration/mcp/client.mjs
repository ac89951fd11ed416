// Clients of the Model Context Protocol, all at once: each initializes, listens, calls a tool many
// times and ends its session. Arguments: the server's URL, how many clients, how many calls. Prints
// what each saw, as JSON.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

const [url, clients, calls] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

async function run(number) {
  const seen = { servers: [], sessions: [], events: [], value: null, failed: null, after: null };
  const transport = new StreamableHTTPClientTransport(new URL(url));
  const client = new Client({ name: `client ${number}`, version: '1' });
  let heard;
  const event = new Promise((resolve) => { heard = resolve; });
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
    seen.events.push(params.data);
    heard();
  });
  try {
    await client.connect(transport);
    seen.value = transport.sessionId;
    for (let i = 0; i < calls; ++i) {
      const { content } = await client.callTool({ name: 'whoami' });
      const [server, session] = JSON.parse(content[0].text);
      seen.servers.push(server);
      seen.sessions.push(session);
    }
    // The stream may have been opened after the first calls; the next one's event comes on it.
    while (seen.events.length === 0) {
      await client.callTool({ name: 'whoami' });
      await Promise.race([event, new Promise((resolve) => { setTimeout(resolve, 20); })]);
    }
    await transport.terminateSession();
    await client.close();
  } catch (error) {
    seen.failed = String(error);
    await client.close().catch(() => {});
  }
  return seen;
}

const all = await Promise.all(Array.from({ length: clients }, (_, number) => run(number)));
console.log(JSON.stringify(all));
