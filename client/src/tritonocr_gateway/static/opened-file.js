// A file and what was read of it: its pages, the lines that a person corrected, and its texts.

const LEAST_SPREAD_DEG = 1.6; // between the slopes of lines; flat pages stay below 1.5
const LEAST_LOW_SHARE = 0.25;
export const LOW_SCORE = 0.8;

export class OpenedFile {
  file;
  state = "waiting"; // then reading, and done, failed or cancelled
  error = "";
  seconds = 0;
  fields = {}; // of the request that read the file
  pages = [];

  constructor(file) {
    this.file = file;
  }

  get name() {
    return this.file.name;
  }

  get stem() {
    return this.name.replace(/\.[^.]*$/, "");
  }

  /** The number of pages that will be read; undefined before the first one is there. */
  get expectedPages() {
    return this.pages.length ? Math.min(this.pages[0].pageCount, this.fields.maxPages ?? Infinity) : undefined;
  }

  get lineCount() {
    return this.pages.reduce((sum, { prunedResult }) => sum + prunedResult.rec_texts.length, 0);
  }

  get isFinished() {
    return !["waiting", "reading"].includes(this.state);
  }

  /** What was left out, one sentence each. */
  get warnings() {
    const found = this.pages.flatMap(({ warnings = [] }) => warnings);
    const count = this.pages[0]?.pageCount ?? 0;
    const read = this.pages.length;
    return this.state === "done" && read < count ? [...found, `The file has ${count} pages; ${read} of them were read.`] : found;
  }

  get text() {
    return this.pages.map(pageText).join("\n\n");
  }

  get json() {
    const ocrResults = this.pages.map(({ prunedResult }) => ({ prunedResult }));
    return JSON.stringify({ ocrResults, pageCount: this.pages[0].pageCount, warnings: this.warnings }, null, 2);
  }

  /** The corrected lines in the form of the field `corrections`. */
  get corrections() {
    return this.pages.flatMap(({ corrected = {} }, page) =>
      Object.entries(corrected).map(([line, text]) => ({ page, line: Number(line), text })));
  }
}

/** The lines of a page, by their indexes, in reading order. */
export function readingOrder({ reading_order: ranks }) {
  return [...ranks.keys()].sort((one, other) => ranks[one] - ranks[other]);
}

/** The text of a page; lines that stand side by side share a row. */
export function pageText({ prunedResult }) {
  const { rec_texts: texts, row_index: rows } = prunedResult;
  let row;
  return readingOrder(prunedResult).reduce((text, line) => {
    const separator = row === undefined ? "" : rows[line] === row ? " " : "\n";
    row = rows[line];
    return text + separator + texts[line];
  }, "");
}

export function correct(page, line, text) {
  page.prunedResult.rec_texts[line] = text;
  page.corrected = { ...page.corrected, [line]: text };
}

/** Whether a page looks as if it were bent: its lines differ in slope, or many of them are hard to read. */
export function looksBent({ prunedResult: { rec_polys: polys, rec_scores: scores } }) {
  const slopes = polys.filter(isLong).map(slopeOf).sort((one, other) => one - other);
  if (slopes.length < 6) return false;
  const spread = slopes[Math.floor(0.9 * slopes.length)] - slopes[Math.floor(0.1 * slopes.length)];
  const low = scores.filter((score) => score < LOW_SCORE).length / scores.length;
  return spread >= LEAST_SPREAD_DEG || low >= LEAST_LOW_SHARE;
}

const isLong = ([a, b, , d]) => Math.hypot(b[0] - a[0], b[1] - a[1]) > 4 * Math.hypot(d[0] - a[0], d[1] - a[1]);
const slopeOf = ([a, b]) => (Math.atan2(b[1] - a[1], b[0] - a[0]) * 180) / Math.PI;
