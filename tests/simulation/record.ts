import type { Position } from "@tutti/protocol";
import type { Item } from "./contract.js";

/** What an application saw of a channel, in the order in which it saw it. */
export type Seen =
  /** `position`: where the subscription starts, where the application was told. */
  | { readonly kind: "subscribed"; readonly position: Position | undefined }
  | { readonly kind: "event"; readonly position: Position; readonly eventId: string; readonly token: string }
  | { readonly kind: "gap"; readonly from: Position; readonly to: Position }
  | { readonly kind: "unsubscribed" };

/** What became of a publish, as far as its publisher knows. */
type PublishResult =
  | { readonly result: "pending" }
  | { readonly result: "acked"; readonly position: Position; readonly eventId: string }
  | { readonly result: "refused"; readonly code: string };

export interface PublishRecord {
  readonly channel: string;
  readonly item: Item;
  /** The page that made it is gone: nobody waits for its result any more. */
  isOrphaned: boolean;
  result: PublishResult;
}
