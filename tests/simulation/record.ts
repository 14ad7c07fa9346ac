import type { Position } from "@tutti/protocol";
import type { Item } from "./contract.js";

/** What an application saw of a channel, in the order in which it saw it. */
export type Seen = { readonly atMs: number } & (
  | { readonly kind: "event"; readonly position: Position; readonly eventId: string; readonly token: string }
  | { readonly kind: "gap"; readonly from: Position; readonly to: Position }
  /** `position`: where the subscription starts, where the application was told. */
  | { readonly kind: "subscribed"; readonly position: Position | undefined }
  /** By the application itself, or by the server. */
  | { readonly kind: "unsubscribed" }
);

/** {@link Seen} before it is known when. */
export type Sight = Seen extends infer One ? (One extends Seen ? Omit<One, "atMs"> : never) : never;

/** What became of a publish, as far as its publisher knows. */
type PublishResult =
  | { readonly result: "pending" }
  | { readonly result: "acked"; readonly position: Position; readonly eventId: string }
  | { readonly result: "refused"; readonly code: string };

export interface PublishRecord {
  readonly channel: string;
  readonly item: Item;
  /** Who published it; `undefined` for the application itself. */
  readonly user: string | undefined;
  /** The page that made it is gone: nobody waits for its result any more. */
  isOrphaned: boolean;
  result: PublishResult;
}
