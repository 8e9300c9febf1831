/**
 * Runs every step, in order, also after one failed; then throws what was gathered. For `dispose()` methods, whose
 * order matters and which must not stop half-way.
 */
export async function disposeAll(steps: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, "Several steps of the shutdown failed");
}
