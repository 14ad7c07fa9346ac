import { expect, test } from "vitest";
import { reportOf } from "../../src/report.js";
import { chartsOf } from "../../src/results/chart.js";
import { pageOf, type Section } from "../../src/results/page.js";
import { madeUp, madeUpMeasured } from "../support/made-up.js";

const scenario = madeUp();
const report = reportOf(madeUpMeasured(), scenario);
const section: Section = { scenario, report, charts: chartsOf(report, scenario), note: undefined };

test("the page of a report", () => {
  expect(pageOf([section, { scenario: madeUp({ name: "log" }), report: undefined, charts: [], note: "Not yet." }])).toMatchInlineSnapshot(`
    "<!-- Written by \`npm run bench -- results\`. What people have to say about a scenario goes into notes/NAME.md. -->

    # Results of the benchmarks

    Everything here was measured by \`npm run bench -- all\`: the contenders of a scenario one after the other, round by round. A figure is the median of the rounds,
    of latencies the quantile of all samples together, with the least and the most of the rounds behind it; a ratio is the median of the ratios of each round.
    A – stands where there is no figure, for example where a contender was saturated before. Figures of different machines do not compare.

    Not measured: log.

    ## Goals

    |  | what | measured | beside | ratio | goal |  |
    | --- | --- | --- | --- | --- | --- | --- |
    | [room](#room) | highest, deliveries/s | tutti: 20,000,000 (18,200,000 to 22,200,000) | ws: 80,000 (72,700 to 88,900) | 250 × | ≥ 100 × | met |
    | [room](#room) | highest, deliveries/s | tutti: 20,000,000 (18,200,000 to 22,200,000) | centrifugo: – | – | ≥ 10 × | not measured |
    | [room](#room) | cpu at 10 publishes/s, µs | tutti: 8 (7.2 to 8.8) | ws: 10 (9 to 11) | 0.8 × | ≤ 1 × | met |
    | [room](#room) | p50 at 10 publishes/s, ms | tutti: 5 (4.5 to 5.5) |  |  | ≤ 5 | met |

    ## Where it was measured

    - A processor, 2 cores, 8 GiB, linux 6 x64, Node 20.20.0, processes pinned to core 0 and 1

    |  | began, UTC | commit | rounds | load before | load after |
    | --- | --- | --- | ---: | ---: | ---: |
    | [room](#room) | 2026-02-03 04:05 | \`0123abc\` | 3 | 0.1 | 1.25 |

    A \`+\` behind a commit says that the sources had changes. The load is that of the whole machine, in processes that want to run, over the last minute: what was measured just before is in it, too.

    ## room

    A room that was made up.

    - **ws-turn**: the ceiling of this machine
    - Not measured: **centrifugo**: there is no Go toolchain here

    ![room: highest, deliveries/s](charts/room-highest.svg)

    |  | highest, deliveries/s |
    | --- | ---: |
    | tutti | 20,000,000 (18,200,000 to 22,200,000) |
    | ws | 80,000 (72,700 to 88,900) |
    | ws-turn | 25,000,000 (22,700,000 to 27,800,000) |

    ### cpu, µs, by publishes/s

    ![room: cpu, µs, by publishes/s](charts/room-cpu.svg)

    | publishes/s | tutti | ws | ws-turn |
    | ---: | ---: | ---: | ---: |
    | 10 | 8 (7.2 to 8.8) | 10 (9 to 11) | 4 (3.6 to 4.4) |
    | 100 | 0.8 (0.72 to 0.88) | 1 (0.9 to 1.1) | 0.4 (0.36 to 0.44) |
    | 1,000 | 0.08 (0.072 to 0.088) | – | 0.04 (0.036 to 0.044) |

    ### p50, ms, by publishes/s

    ![room: p50, ms, by publishes/s](charts/room-p50.svg)

    | publishes/s | tutti | ws | ws-turn |
    | ---: | ---: | ---: | ---: |
    | 10 | 5 (4.5 to 5.5) | 6.25 (5.63 to 6.88) | 2.5 (2.25 to 2.75) |
    | 100 | 5 (4.5 to 5.5) | 6.25 (5.63 to 6.88) | 2.5 (2.25 to 2.75) |
    | 1,000 | 5 (4.5 to 5.5) | – | 2.5 (2.25 to 2.75) |

    ### Beside each other, without a goal

    | what | measured | beside | ratio |
    | --- | --- | --- | --- |
    | cpu at 100 publishes/s, µs | tutti: 0.8 (0.72 to 0.88) | ws-turn: 0.4 (0.36 to 0.44) | 2 × |

    <details>
    <summary>What explains these figures</summary>

    **share, of what was due, by publishes/s**

    | publishes/s | tutti | ws | ws-turn |
    | ---: | ---: | ---: | ---: |
    | 10 | 1 | 1 | 1 |
    | 100 | 1 | 1 | 1 |
    | 1,000 | 1 | – | 1 |

    </details>
    "
  `);
});

test("what people wrote stands after the tables, as they wrote it", () => {
  const page = pageOf([{ ...section, note: "### Why\n\nBecause | of it.\n" }]);
  expect(page.indexOf("### Why\n\nBecause | of it.\n")).toBeGreaterThan(page.indexOf("### p50, ms"));
});

test("a contender that was left out of the run is named", () => {
  const rounds = madeUpMeasured().rounds.map(({ tutti = {} }) => ({ tutti }));
  const page = pageOf([{ ...section, report: reportOf(madeUpMeasured({ rounds }), scenario) }]);
  expect(page).toContain("- Not measured: **ws-turn**: it was not asked for in this run\n- Not measured: **centrifugo**: there is no Go toolchain here\n");
});

test("machines that differ are told apart", () => {
  const other = madeUp({ name: "log" });
  const elsewhere = reportOf(madeUpMeasured({ node: "24.1.0", pinnedTo: [] }), other);
  const page = pageOf([section, { scenario: other, report: elsewhere, charts: [], note: undefined }]);
  expect(page).toContain("- room: A processor, 2 cores, 8 GiB, linux 6 x64, Node 20.20.0, processes pinned to core 0 and 1\n");
  expect(page).toContain("- log: A processor, 2 cores, 8 GiB, linux 6 x64, Node 24.1.0, no process on a core of its own\n");
});
