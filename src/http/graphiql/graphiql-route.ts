import type { Route } from '../route.ts';

/** GraphiQL, for browsers that open the path of GraphQL. */
export const graphiqlRoute: Route = {
  method: 'GET',
  path: '/graphql',
  accepts: ({ headers }) => headers.accept?.includes('text/html') ?? false,
  handle: async () => {
    // Its editor takes 60 MB of memory, which nobody has to spend who does not look at it.
    const { graphiqlPage } = await import('./graphiql.ts');
    const { html, headers } = graphiqlPage();
    return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8', ...headers }, body: html };
  },
};
