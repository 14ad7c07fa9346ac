import { BarChart, CustomChart, LineChart } from "echarts/charts";
import type { BarSeriesOption, CustomSeriesOption, LineSeriesOption } from "echarts/charts";
import { GridComponent, TitleComponent } from "echarts/components";
import type { GridComponentOption, TitleComponentOption } from "echarts/components";
import { init, use, type ComposeOption } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { SVGRenderer } from "echarts/renderers";
import type { Report } from "../report.js";
import { keyOf, type Quantity, type Scenario } from "../scenario.js";
import type { Spread } from "../statistics.js";
import { isProduct, strokeOf } from "./colours.js";
import { nameText, numberText, shortNumberText } from "./number.js";
import { mainQuantities, quantityText } from "./tables.js";

use([BarChart, CustomChart, LineChart, GridComponent, TitleComponent, LabelLayout, SVGRenderer]);

type Option = ComposeOption<BarSeriesOption | CustomSeriesOption | LineSeriesOption | GridComponentOption | TitleComponentOption>;

export interface Chart {
  readonly quantity: Quantity;
  /** Its name in the folder of charts. */
  readonly file: string;
  /** What it shows, for those who cannot see it. */
  readonly text: string;
  readonly svg: string;
}

/** The figures of one contender, as a line or as a bar. */
interface Series {
  readonly contender: string;
  /** Where it stands: a point of the quantity, or the place of the bar. */
  readonly figures: readonly (readonly [at: number, figure: Spread])[];
}

/** Of pixels. Two charts of bars stand beside each other on a page. */
const lineSize = { width: 760, height: 420 };
const barSize = { width: 420, headHeight: 96, barHeight: 32 };
const white = "#ffffff";
const ink = "#1f2328";
const greyInk = "#57606a";
const gridInk = "#e5e8eb";

/** From where on the small ones could not be told apart. */
const logarithmicFrom = 20;

const plain = { animation: false, backgroundColor: white, textStyle: { fontFamily: "system-ui, sans-serif", color: ink } } as const;
const still = { silent: true, emphasis: { disabled: true } } as const;

const axisLook = {
  axisLine: { lineStyle: { color: greyInk } },
  axisTick: { lineStyle: { color: greyInk } },
  splitLine: { lineStyle: { color: gridInk } },
  axisLabel: { color: greyInk, formatter: (value: number) => shortNumberText(value) },
  nameTextStyle: { color: greyInk },
};

const titleOf = (scenario: Scenario, { name }: Quantity): TitleComponentOption => ({
  text: `${scenario.name}: ${name}`,
  left: 16,
  top: 12,
  textStyle: { fontSize: 15, fontWeight: 600, color: ink },
});

/** The next of 1, 2 and 5 times a power of ten, so that an axis begins and ends with a round number. */
function rounded(value: number, towards: "down" | "up"): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const steps = [1, 2, 5, 10].map((step) => Number((step * power).toPrecision(1)));
  const found = towards === "up" ? steps.find((step) => step >= value) : steps.findLast((step) => step <= value);
  return found ?? value;
}

type Scale = { readonly type: "log"; readonly min: number; readonly max: number } | { readonly type: "value"; readonly min: number; readonly max?: number };

function scaleOf(values: readonly number[]): Scale {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (least <= 0 || most / least < logarithmicFrom) return { type: "value", min: Math.min(0, least) };
  return { type: "log", min: rounded(least, "down"), max: rounded(most, "up") };
}

/** From the least to the most of the rounds, where there are several. */
function whiskers({ contender, figures }: Series, scenario: Scenario, direction: "up" | "along"): CustomSeriesOption {
  const cap = direction === "up" ? 4 : 5;
  // Shorter than this it is a blot.
  const lengthMin = 3;
  return {
    silent: true,
    type: "custom",
    z: 4,
    data: figures.map(([at, { min, max }]) => [at, min, max]),
    renderItem(_, api) {
      const end = (dimension: number): readonly [number, number] => {
        const [x = NaN, y = NaN] = direction === "up" ? api.coord([api.value(0), api.value(dimension)]) : api.coord([api.value(dimension), api.value(0)]);
        return [x, y];
      };
      const bar = ([x, y]: readonly [number, number]): string => (direction === "up" ? `M${x - cap} ${y}H${x + cap}` : `M${x} ${y - cap}V${y + cap}`);
      const [least, most] = [end(1), end(2)];
      if (Math.hypot(most[0] - least[0], most[1] - least[1]) < lengthMin) return undefined;
      const stroke = direction === "up" ? strokeOf(contender, scenario.contenders).colour : ink;
      return { type: "path", shape: { pathData: `${bar(least)}M${least.join(" ")}L${most.join(" ")}${bar(most)}` }, style: { fill: "none", stroke, lineWidth: 1.25, opacity: 0.7 } };
    },
  };
}

interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const overlaps = (one: Rect, other: Rect): boolean =>
  one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height;

/** Moves what would cover a name up, one after the other. */
function upwards(): (params: { readonly labelRect: Rect }) => { readonly dy: number } {
  const placed: Rect[] = [];
  return ({ labelRect: { x, y, width, height } }) => {
    let rect = { x, y, width, height };
    for (let other = placed.find((each) => overlaps(rect, each)); other !== undefined; other = placed.find((each) => overlaps(rect, each))) {
      rect = { ...rect, y: other.y - height };
    }
    placed.push(rect);
    return { dy: rect.y - y };
  };
}

/** Lines with their names at their ends: beside it at the last point, and above it where others go on. */
function lines(all: readonly Series[], scenario: Scenario): readonly LineSeriesOption[] {
  const lastPoint = Math.max(...all.flatMap(({ figures }) => figures.map(([at]) => at)));
  const aboveTheEnd = upwards();
  return all.map(({ contender, figures }) => {
    const { colour, dash } = strokeOf(contender, scenario.contenders);
    const look = isProduct(contender) ? ({ z: 6, width: 3, symbolSize: 7, fontWeight: 700 } as const) : ({ z: 5, width: 2, symbolSize: 6, fontWeight: 400 } as const);
    const goesOn = figures.at(-1)?.[0] !== lastPoint;
    return {
      ...still,
      type: "line",
      clip: false,
      z: look.z,
      data: figures.map(([at, { median }]) => [at, median]),
      lineStyle: { color: colour, width: look.width, type: dash },
      itemStyle: { color: colour },
      symbol: "circle",
      symbolSize: look.symbolSize,
      endLabel: { show: true, formatter: nameText(contender), color: colour, fontSize: 13, fontWeight: look.fontWeight, textBorderColor: white, textBorderWidth: 2, distance: 8, offset: goesOn ? [-12, -15] : [0, 0] },
      labelLayout: goesOn ? aboveTheEnd : { moveOverlap: "shiftY" },
    };
  });
}

function lineOption(all: readonly Series[], quantity: Quantity, scenario: Scenario): Option {
  const points = all.flatMap(({ figures }) => figures.map(([at]) => at));
  const values = all.flatMap(({ figures }) => figures.flatMap(([, { median, min, max }]) => [median, min, max]));
  return {
    ...plain,
    title: titleOf(scenario, quantity),
    grid: { left: 64, right: 150, top: 84, bottom: 56 },
    // The points themselves are the ends: nothing was measured beyond them.
    xAxis: { ...axisLook, type: scaleOf(points).type, min: Math.min(...points), max: Math.max(...points), name: quantity.at?.what ?? "", nameLocation: "middle", nameGap: 32, splitLine: { show: false } },
    yAxis: { ...axisLook, ...scaleOf(values), name: quantity.unit, nameGap: 18, nameTextStyle: { color: greyInk, align: "left", padding: [0, 0, 0, -46] } },
    series: [...all.map((one) => whiskers(one, scenario, "up")), ...lines(all, scenario)],
  };
}

/** Bars, and their figures behind their whiskers: the words of a second bar that cannot be seen. */
function bars(all: readonly Series[], scenario: Scenario): readonly BarSeriesOption[] {
  const figures = all.flatMap((series) => series.figures.map(([, figure]) => ({ contender: series.contender, figure })));
  const look = { ...still, type: "bar", barWidth: 18, barGap: "-100%" } as const;
  return [
    { ...look, data: figures.map(({ contender, figure }) => ({ value: figure.median, itemStyle: { color: strokeOf(contender, scenario.contenders).fill } })) },
    {
      ...look,
      itemStyle: { color: "transparent" },
      label: { show: true, position: "right", distance: 8, color: ink, fontSize: 13 },
      data: figures.map(({ figure }) => ({ value: figure.max, label: { formatter: numberText(figure.median) } })),
    },
  ];
}

function barOption(all: readonly Series[], quantity: Quantity, scenario: Scenario): Option {
  return {
    ...plain,
    title: titleOf(scenario, quantity),
    grid: { left: 132, right: 84, top: 48, bottom: 48 },
    xAxis: { ...axisLook, type: "value", splitNumber: 3, name: quantity.unit, nameLocation: "middle", nameGap: 28 },
    yAxis: {
      ...axisLook,
      type: "category",
      inverse: true,
      data: all.map(({ contender }) => nameText(contender)),
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: { color: ink, fontSize: 13 },
    },
    series: [...bars(all, scenario), ...all.map((one) => whiskers(one, scenario, "along"))],
  };
}

/** Draws it without what only a page with scripts can use, and without the ids that count the charts of this process. */
function svgOf(option: Option, size: { readonly width: number; readonly height: number }): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size });
  try {
    chart.setOption(option);
    return chart
      .renderToSVGString()
      .replace(/<style[^]*?<\/style>\n?/g, "")
      .replace(/ (?:ecmeta_\w+|class|pointer-events)="[^"]*"/g, "")
      .replaceAll(/\bzr\d+-/g, "");
  } finally {
    chart.dispose();
  }
}

const slug = (words: string): string => words.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");

function seriesOf({ figures }: Report, { name, at }: Quantity): readonly Series[] {
  const figured = Object.entries(figures).map(([contender, own]) => {
    const figuresAt = (at?.points ?? [undefined]).flatMap((point) => {
      const figure = own[keyOf(name, point)];
      return figure === undefined ? [] : [[point, figure] as const];
    });
    return { contender, figuresAt };
  });
  const present = figured.filter(({ figuresAt }) => figuresAt.length > 0);
  return present.map(({ contender, figuresAt }, place) => ({ contender, figures: figuresAt.map(([point = place, figure]) => [point, figure]) }));
}

function chartOf(report: Report, scenario: Scenario, quantity: Quantity): Chart | undefined {
  const all = seriesOf(report, quantity);
  const points = new Set(all.flatMap(({ figures }) => figures.map(([at]) => at)));
  // One bar or one point shows nothing that its figure does not, nor do zeros.
  if (points.size < 2 || all.every(({ figures }) => figures.every(([, { max }]) => max === 0))) return undefined;
  const svg =
    quantity.at === undefined
      ? svgOf(barOption(all, quantity, scenario), { width: barSize.width, height: barSize.headHeight + barSize.barHeight * all.length })
      : svgOf(lineOption(all, quantity, scenario), lineSize);
  return { quantity, file: `${slug(scenario.name)}-${slug(quantity.name)}.svg`, text: `${scenario.name}: ${quantityText(quantity)}`, svg };
}

/** A chart of each quantity that has something to compare: lines where it is measured at several points, else bars. */
export const chartsOf = (report: Report, scenario: Scenario): readonly Chart[] =>
  mainQuantities(scenario).flatMap((quantity) => chartOf(report, scenario, quantity) ?? []);
