/** A seed that once failed, and what it found. The seed runs under the profile that it was found with. */
export interface Regression {
  readonly seed: number;
  readonly profile: string;
  readonly story: string;
}

export const regressions: readonly Regression[] = [];
