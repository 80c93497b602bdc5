/** Waiting for several things that began at once. */

/**
 * The results of all. Waits for every one, also when one fails, so that nothing goes on behind the caller's back.
 * @throws the first failure
 */
export async function joined<T>(
  promises: readonly Promise<T>[],
): Promise<readonly T[]> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}
