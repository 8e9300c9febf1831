/** DNS over TCP: each message behind its length, in two bytes. */
export function toTcpMessage(packet: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(packet.length);
  return Buffer.concat([length, packet]);
}

/** Takes chunks as they come. `maxLength` is for what strangers send. */
export function splitTcpMessages(to: { message(packet: Buffer): void; invalid(): void }, maxLength = 0xffff): (chunk: Buffer) => void {
  let gathered: Buffer = Buffer.alloc(0);
  return (chunk) => {
    gathered = gathered.length === 0 ? chunk : Buffer.concat([gathered, chunk]);
    while (gathered.length >= 2) {
      const length = gathered.readUInt16BE(0);
      if (length > maxLength) {
        gathered = Buffer.alloc(0);
        return to.invalid();
      }
      if (gathered.length < 2 + length) return;
      const packet = gathered.subarray(2, 2 + length);
      gathered = gathered.subarray(2 + length);
      to.message(packet);
    }
  };
}
