// A ZIP archive of texts, stored without compression (PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16).

const UTF8_NAMES = 0x0800;
const VERSION = 20;

/** Return the archive of a Map from names to texts. */
export function zip(texts) {
  const encoder = new TextEncoder();
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [name, text] of texts) {
    const [nameBytes, content] = [encoder.encode(name), encoder.encode(text)];
    const shared = sharedFields(nameBytes, content);
    parts.push(bytes(4, 0x04034b50), shared, nameBytes, content);
    directory.push(bytes(4, 0x02014b50), bytes(2, VERSION), shared, bytes(2, 0, 0, 0), bytes(4, 0, offset), nameBytes);
    offset += 4 + shared.length + nameBytes.length + content.length;
  }
  const directorySize = directory.reduce((sum, part) => sum + part.length, 0);
  const end = [bytes(4, 0x06054b50), bytes(2, 0, 0, texts.size, texts.size), bytes(4, directorySize, offset), bytes(2, 0)];
  return new Blob([...parts, ...directory, ...end], { type: "application/zip" });
}

/** The fields that a file's header and its entry in the directory have in common. */
function sharedFields(name, content) {
  const now = new Date();
  const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
  const day = ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
  const fields = [
    bytes(2, VERSION, UTF8_NAMES, 0, time, day),
    bytes(4, crc32(content), content.length, content.length),
    bytes(2, name.length, 0),
  ];
  return new Uint8Array(fields.flatMap((field) => [...field]));
}

/** Little-endian numbers of a size in bytes. */
function bytes(size, ...numbers) {
  return new Uint8Array(numbers.flatMap((number) => Array.from({ length: size }, (_, index) => (number >>> (8 * index)) & 255)));
}

function crc32(content) {
  let crc = -1;
  for (const byte of content) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 255];
  return ~crc >>> 0;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});
