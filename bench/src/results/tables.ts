import type { Report } from "../report.js";
import { keyOf, type Quantity, type Scenario } from "../scenario.js";
import type { Spread } from "../statistics.js";

/** Figures in rows and columns: each row has as many as there are columns. */
export interface Table {
  /** `undefined` for the one of all that was measured once. */
  readonly quantity: Quantity | undefined;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly name: string; readonly figures: readonly (Spread | undefined)[] }[];
}

/** The name of a quantity with what its figures count. */
export const quantityText = ({ name, unit, at }: Quantity): string => (at === undefined ? `${name}, ${unit}` : `${name}, ${unit}, by ${at.what}`);

export const mainQuantities = ({ quantities }: Scenario): readonly Quantity[] => quantities.filter(({ isDetail }) => isDetail !== true);
export const detailQuantities = ({ quantities }: Scenario): readonly Quantity[] => quantities.filter(({ isDetail }) => isDetail === true);

/** One table of all that is measured once, and one of each quantity that is measured at several points; none without a figure. */
export function tablesOf({ figures }: Report, quantities: readonly Quantity[]): readonly Table[] {
  const contenders = Object.keys(figures);
  const figureOf = (contender: string, name: string, point?: number): Spread | undefined => figures[contender]?.[keyOf(name, point)];
  const once = quantities.filter(({ at }) => at === undefined);
  const single: Table = {
    quantity: undefined,
    columns: once.map(quantityText),
    rows: contenders.map((name) => ({ name, figures: once.map((quantity) => figureOf(name, quantity.name)) })),
  };
  const several = quantities.flatMap((quantity): readonly Table[] => {
    if (quantity.at === undefined) return [];
    const rows = quantity.at.points.map((point) => ({ name: String(point), figures: contenders.map((contender) => figureOf(contender, quantity.name, point)) }));
    return [{ quantity, columns: contenders, rows }];
  });
  // A point that nobody reached is no row; a contender without a figure is one, so that it is seen.
  const reached = several.map((table) => ({ ...table, rows: table.rows.filter((row) => row.figures.some((figure) => figure !== undefined)) }));
  return [single, ...reached].filter(({ rows }) => rows.some((row) => row.figures.some((figure) => figure !== undefined)));
}
