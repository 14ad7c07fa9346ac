import { Crowd } from "../load/crowd.js";
import { durationsOf, offer } from "../load/offer.js";
import { openLoop } from "../load/open-loop.js";
import { channelsNamed, joinings } from "../load/room.js";
import { servedBy, type Served } from "../peers/contenders.js";
import { tutti } from "../peers/tutti.js";
import { ws } from "../peers/ws.js";
import { keyOf, scenario, type Figure, type Size } from "../scenario.js";

/** People in channels, and publishes to these in turn. */
interface Layout {
  readonly members: number;
  readonly channelsOf: (member: number) => readonly string[];
  /** The channel of a publish, and a member that is in it. */
  readonly publish: (count: number) => { readonly member: number; readonly channel: string };
  readonly membersOfChannel: number;
  readonly perSecond: number;
}

/** Everybody is in the same channels, which are written to in turn. */
function shared(members: number, channels: number, perSecond: number): Layout {
  const names = channelsNamed(channels);
  return {
    members,
    channelsOf: () => names,
    publish: (count) => ({ member: count % members, channel: names[count % channels] ?? "" }),
    membersOfChannel: members,
    perSecond,
  };
}

/** Pairs, and each pair has channels of its own. */
function pairs(members: number, channelsEach: number, perSecond: number): Layout {
  const channelOf = (member: number, index: number): string => `room:${(member >> 1) * channelsEach + index}`;
  return {
    members,
    channelsOf: (member) => Array.from({ length: channelsEach }, (_, index) => channelOf(member, index)),
    publish(count) {
      const member = count % members;
      // Each of a pair writes to other channels, and always to the next one: of many channels many are written to, not the same few.
      return { member, channel: channelOf(member, (2 * Math.floor(count / members) + (member & 1)) % channelsEach) };
    },
    membersOfChannel: 2,
    perSecond,
  };
}

const axes = {
  "channels each": [1, 5, 20, 100],
  channels: [1_000, 100_000],
  members: [100, 1_000, 10_000],
};
type Axis = keyof typeof axes;

const deliveriesPerSecond = 30_000;

const layouts: Record<Size, Record<Axis, (point: number) => Layout>> = {
  full: {
    "channels each": (channels) => shared(500, channels, deliveriesPerSecond / 500),
    channels: (channels) => pairs(2_000, channels / 1_000, 2_500),
    members: (members) => shared(members, 1, deliveriesPerSecond / members),
  },
  tiny: {
    "channels each": (channels) => shared(10, channels, 50),
    channels: (channels) => pairs(10, Math.min(5, channels / 1_000), 50),
    members: (members) => shared(Math.min(20, members), 1, 50),
  },
};

const growth = (axis: Axis): string => `growth with ${axis}`;
const cost = (axis: Axis): string => `cpu by ${axis}`;
const names = Object.keys(axes) as Axis[];

async function costOfLayout({ peer, server }: Served, size: Size, layout: Layout): Promise<number> {
  const crowd = new Crowd({ ports: [server.port], wire: peer.wire });
  await crowd.join(joinings(0, layout.members, layout.channelsOf));
  const { cpuUs } = await offer(crowd, server, durationsOf[size], () => {
    let count = 0;
    const send = (intendedAt: number): void => {
      const { member, channel } = layout.publish(count++);
      crowd.publish(member, channel, intendedAt, 100);
    };
    return { stop: openLoop(layout.perSecond, send), due: () => count * layout.membersOfChannel };
  });
  crowd.close();
  return cpuUs;
}

export const wide = scenario<Served>({
  name: "wide",
  what: "what a delivery costs as there is more of one thing: channels of a connection, channels of a server, members of a room; at the same deliveries a second",
  rounds: 3,
  quantities: [
    ...names.map((axis) => ({ name: growth(axis), unit: "from the least to the most" })),
    ...names.map((axis) => ({ name: cost(axis), unit: "µs of the server a delivery", at: { what: axis, points: axes[axis] } })),
  ],
  contenders: servedBy([tutti, ws]),
  comparisons: names.map((axis) => ({ quantity: growth(axis), of: "tutti", to: "ws", goal: { atMost: 1.2 } })),
  async load(served, size) {
    const sample: Record<string, Figure> = {};
    // The first that is measured is not to be the one in which the server's code is compiled.
    await costOfLayout(served, size, layouts[size].members(1_000));
    for (const axis of names) {
      const costs: number[] = [];
      for (const point of axes[axis]) {
        const cpuUs = await costOfLayout(served, size, layouts[size][axis](point));
        sample[keyOf(cost(axis), point)] = cpuUs;
        costs.push(cpuUs);
      }
      sample[growth(axis)] = (costs.at(-1) ?? NaN) / (costs[0] ?? NaN);
    }
    return sample;
  },
});
