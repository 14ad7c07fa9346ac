/** Does something `count` times, `inFlight` at a time: the next one begins where one ends. */
export async function fly(count: number, inFlight: number, once: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await once(index);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}
