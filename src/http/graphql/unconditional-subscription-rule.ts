import { GraphQLError, Kind, OperationTypeNode, type SelectionSetNode, type ValidationRule } from 'graphql';

/**
 * No `@skip` and no `@include` where a subscription names its field, as GraphQL's October 2025 edition has it: with none
 * selected there is nothing to follow, for which the executor has no answer but an exception.
 */
export const unconditionalSubscriptionRule: ValidationRule = (context) => ({
  OperationDefinition({ operation, selectionSet }) {
    if (operation !== OperationTypeNode.SUBSCRIPTION) return;
    const seen = new Set<string>();
    const look = ({ selections }: SelectionSetNode) => {
      for (const selection of selections) {
        const conditions = (selection.directives ?? []).filter(({ name }) =>
          ['skip', 'include'].includes(name.value),
        );
        if (conditions.length > 0)
          context.reportError(new GraphQLError('A subscription is conditional.', { nodes: conditions }));
        if (selection.kind === Kind.INLINE_FRAGMENT) look(selection.selectionSet);
        if (selection.kind !== Kind.FRAGMENT_SPREAD || seen.has(selection.name.value)) continue;
        seen.add(selection.name.value);
        const fragment = context.getFragment(selection.name.value);
        if (fragment) look(fragment.selectionSet);
      }
    };
    look(selectionSet);
  },
});
