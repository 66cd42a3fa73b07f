/** A bare graphql-yoga on node:http that answers `{ ping }`: what GraphQL over HTTP costs before anything is done. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSchema, createYoga } from 'graphql-yoga';

process.once('disconnect', () => process.exit());
process.once('message', () => {
  const schema = createSchema({
    typeDefs: 'type Query { ping: String }',
    resolvers: { Query: { ping: () => 'pong' } },
  });
  const yoga = createYoga({ schema, logging: false, graphiql: false });
  const server = createServer((request, response) => void yoga(request, response));
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
});
