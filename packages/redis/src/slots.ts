const SLOT_COUNT = 16_384;

/** The slot of a tag on a cluster: CRC-16 (XMODEM) of its bytes, as the specification of Redis Cluster has it. */
export function slotOf(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    crc &= 0xffff;
  }
  return crc % SLOT_COUNT;
}

/** The slot of a name that has its tag in braces, as all of ours do. */
export function slotOfName(name: string): number {
  return slotOf(name.slice(name.indexOf("{") + 1, name.indexOf("}")));
}
