// A server of the Model Context Protocol with the sessions that it issued, and no others. Its name
// is the first argument; it prints the port that it listens on.
import { randomUUID, webcrypto } from 'node:crypto';
import { createServer } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

globalThis.crypto ??= webcrypto;  // Node 18 has it, but the SDK looks for it here
const name = process.argv[2];
const transports = new Map();

function serve(transport) {
  const server = new McpServer({ name, version: '1' }, { capabilities: { logging: {} } });
  server.registerTool('whoami', { description: 'Who answers, and in which session' },
    async (extra) => {
      // On the stream of events that the client listens to, not with this answer.
      await server.server.notification(
        { method: 'notifications/message', params: { level: 'info', data: `from ${name}` } });
      return { content: [{ type: 'text', text: JSON.stringify([name, extra.sessionId]) }] };
    });
  return server.connect(transport);
}

const http = createServer(async (request, response) => {
  const id = request.headers['mcp-session-id'];
  if (request.url === '/sessions') return response.end(JSON.stringify([...transports.keys()]));
  if (id !== undefined) {
    const known = transports.get(id);
    if (known) return known.handleRequest(request, response);
    return response.writeHead(404).end(`no session ${id}`);
  }
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (made) => { transports.set(made, transport); },
    onsessionclosed: (gone) => { transports.delete(gone); },
  });
  await serve(transport);
  return transport.handleRequest(request, response);
});
http.listen(0, '127.0.0.1', () => console.log(http.address().port));
