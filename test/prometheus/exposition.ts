// Reads the text that Prometheus scrapes, strictly: what breaks a rule of the format, or one that
// promtool warns of, throws. Written from the specifications, not from what is tested.

export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ReadFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly unit: string;
  readonly samples: readonly ReadSample[];
}

const suffixesOf: Readonly<Record<string, readonly string[]>> = {
  histogram: ["_bucket", "_sum", "_count"],
};

export function readExposition(text: string, isOpenMetrics = false): Map<string, ReadFamily> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const lines = text.slice(0, -1).split("\n");
  if (isOpenMetrics && lines.pop() !== "# EOF") throw new Error("does not end with # EOF");
  const families = new Map<string, ReadFamily & { samples: ReadSample[] }>();
  let family: (ReadFamily & { samples: ReadSample[] }) | undefined;
  for (const line of lines) {
    const [, kind, name = "", rest = ""] =
      /^# (HELP|TYPE|UNIT) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line) ?? [];
    if (kind === "HELP") {
      if (families.has(name)) throw new Error(`${name} comes twice`);
      family = { name, type: "", help: rest, unit: "", samples: [] };
      families.set(name, family);
    } else if (kind !== undefined) {
      if (family?.name !== name || family.samples.length > 0) throw new Error(`stray ${line}`);
      Object.assign(family, { [kind.toLowerCase()]: rest });
    } else {
      if (family === undefined) throw new Error(`a sample without a family: ${line}`);
      const sample = readSample(line);
      assertOf(family, sample.name, isOpenMetrics);
      family.samples.push(sample);
    }
  }
  for (const each of families.values()) assertFamily(each, isOpenMetrics);
  return families;
}

function readSample(line: string): ReadSample {
  const [, name, pairs = "", number = ""] = /^([a-zA-Z_:][\w:]*)\{(.*)\} (\S+)$/.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  const pair = /([a-zA-Z_]\w*)="((?:[^"\\]|\\["\\n])*)"(?:,(?=[a-zA-Z_])|$)/y;
  while (pair.lastIndex < pairs.length) {
    const [, label = "", value = ""] = pair.exec(pairs) ?? [];
    if (label === "" || label in labels) throw new Error(`wrong labels: ${line}`);
    labels[label] = value.replace(/\\(.)/g, (_, sign: string) => (sign === "n" ? "\n" : sign));
  }
  if (!/^(?:[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|\+Inf)$/.test(number)) throw new Error(line);
  return { name, labels, value: Number(number) };
}

function assertOf({ name, type }: ReadFamily, sample: string, isOpenMetrics: boolean): void {
  const isCounter = isOpenMetrics && type === "counter";
  const allowed = isCounter ? ["_total"] : (suffixesOf[type] ?? [""]);
  if (!allowed.some((suffix) => sample === name + suffix)) throw new Error(`${sample} in ${name}`);
}

function assertFamily(family: ReadFamily, isOpenMetrics: boolean): void {
  const { name, type, help, unit, samples } = family;
  if (!["counter", "gauge", "histogram"].includes(type)) throw new Error(`${name} is a ${type}`);
  if (samples.length === 0 || help === "") throw new Error(`${name} says nothing`);
  if (unit !== "" && !name.endsWith(`_${unit}`)) throw new Error(`${name} has not its unit`);
  // What promtool warns of.
  if ((type === "counter") !== (name.endsWith("_total") || (isOpenMetrics && type === "counter"))) {
    throw new Error(`${name} is a ${type}`);
  }
  if (/_(?:count|sum|bucket)$/.test(name)) throw new Error(`${name} looks like a histogram's`);
  if (/gauge|counter|histogram|_(?:ms|ns|kb|mb|milliseconds|nanoseconds)\b/.test(name)) {
    throw new Error(`${name} names its type or a unit that is no base unit`);
  }
  const known = new Set<string>();
  for (const { name: own, labels } of samples) {
    const key = `${own} ${labelKey(labels)}`;
    if (known.has(key)) throw new Error(`${key} comes twice`);
    known.add(key);
  }
  if (type === "histogram") assertHistogram(family);
}

function assertHistogram({ name, samples }: ReadFamily): void {
  const groups = new Map<string, ReadSample[]>();
  for (const sample of samples) {
    const { le: _, ...others } = sample.labels;
    const key = labelKey(others);
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  for (const [key, group] of groups) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number(labels["le"]?.replace("+Inf", "Infinity")));
    const counts = buckets.map(({ value }) => value);
    const count = group.find((sample) => sample.name === `${name}_count`)?.value;
    const isSorted = (numbers: readonly number[]): boolean =>
      numbers.every((number, index) => index === 0 || number >= (numbers[index - 1] as number));
    if (!isSorted(bounds) || new Set(bounds).size !== bounds.length) throw new Error(`${key} le`);
    if (!isSorted(counts) || bounds.at(-1) !== Infinity || counts.at(-1) !== count) {
      throw new Error(`${key} does not add up`);
    }
    if (!group.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${key} no sum`);
  }
}

/** Labels as one string, whatever their order. */
export function labelKey(labels: Readonly<Record<string, string>>): string {
  const names = Object.keys(labels).toSorted();
  return JSON.stringify(names.map((name) => [name, labels[name]]));
}
