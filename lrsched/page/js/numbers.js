// Numbers: those of a run's curve, packed by Python in two bytes each; and numbers as one reads them.

/** The values of a packed curve: low + (high − low)·q/65535, or the power of e of that. */
function unpack({ low, high, log, q }) {
  const bytes = Uint8Array.from(atob(q), (letter) => letter.charCodeAt(0));
  const values = new Array(bytes.length / 2);
  const width = (high - low) / 65535;
  for (let i = 0; i < values.length; i++) {
    const value = low + width * (bytes[2 * i] + 256 * bytes[2 * i + 1]);
    values[i] = log ? Math.exp(value) : value;
  }
  return values;
}

/** A number to look at: four digits; a fraction in percent where that is its unit. */
function shown(value, unit = "") {
  if (value == null || !Number.isFinite(value)) return "–";
  if (unit === "%") return `${Number((100 * value).toPrecision(4))}%`;
  const size = Math.abs(value);
  if (value === 0 || (Number.isInteger(value) && size < 1e6)) return String(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(Number(value.toPrecision(4)));
}
