// Numbers that Python packed: base64 of gzip of float32 in four planes (all first bytes, all second bytes, …).

async function unpack(text) {
  const packed = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = planes.length / 4;
  const bytes = new Uint8Array(planes.length);
  for (let plane = 0; plane < 4; plane++) {
    const from = plane * count;
    for (let i = 0; i < count; i++) bytes[4 * i + plane] = planes[from + i];
  }
  return new Float32Array(bytes.buffer); // little-endian, as every machine with a browser is
}

/** A list as uPlot takes it, null for a gap; `said` is a plain list or names a piece of the packed numbers. */
function numbersOf(said, packed) {
  if (!said || Array.isArray(said)) return said ?? [];
  return Array.from(packed.subarray(said.at, said.at + said.n), (value) => (Number.isNaN(value) ? null : value));
}

/** A number to look at: four digits. */
function shown(value) {
  if (value == null || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (value === 0 || (Number.isInteger(value) && size < 1e6)) return String(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(Number(value.toPrecision(4)));
}
