// Draws the series with plotly.js, in the page's colours.

import { label, panelsFor, QUALITY_PREFIX } from "./panels.js";

const REDRAW_MS = 400;
const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset" };
const COLOURS = 4;

export class Curves {
  #cards = new Map(); // panel title -> { plot, legend }
  #timer = null;

  // `series`: the ticks. `evaluations`: [{images_seen, fid, …}, …]. `figures`: {name: {title, unit, about}, …}.
  constructor(root, { series, evaluations, figures }) {
    this.figures = figures;
    this.root = root;
    this.series = series;
    this.evaluations = evaluations;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // Soon, once for many calls.
  drawSoon() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.draw();
    }, REDRAW_MS);
  }

  draw() {
    const columns = this.#columns();
    const style = getComputedStyle(document.documentElement);
    const colours = Array.from({ length: COLOURS }, (_, i) => style.getPropertyValue(`--series-${i + 1}`).trim());
    const byName = new Map(columns.map((column) => [column.name, column]));
    for (const panel of panelsFor(byName, this.figures)) {
      const shown = panel.names.flatMap((name) => byName.get(name) ?? []);
      const card = this.#card(panel);
      card.legend.replaceChildren(...shown.map((column, i) => this.#legendItem(column, i)));
      const traces = shown.map((column, i) => trace(panel, column, colours[i % COLOURS]));
      globalThis.Plotly.react(card.plot, traces, layout(panel, style), CONFIG);
    }
  }

  #legendItem({ name, y }, i) {
    const item = document.createElement("li");
    item.title = this.figures[name]?.about ?? "";
    const swatch = document.createElement("span");
    swatch.className = `swatch swatch-${(i % COLOURS) + 1}`;
    const value = document.createElement("b");
    value.textContent = significant(y.findLast((one) => one !== null && one !== undefined));
    item.append(swatch, `${label(name, this.figures)} `, value);
    return item;
  }

  #columns() {
    const ticks = [...this.series.columns].map(([name, y]) => ({ name, x: this.series.images, y }));
    return [...ticks, ...this.#quality()];
  }

  // Each figure of the evaluations, where it was measured.
  #quality() {
    const names = new Set(this.evaluations.flatMap((evaluation) => Object.keys(evaluation)));
    names.delete("images_seen");
    return [...names].flatMap((name) => {
      const rated = this.evaluations.filter((evaluation) => typeof evaluation[name] === "number");
      const column = { x: rated.map((one) => one.images_seen), y: rated.map((one) => one[name]) };
      return rated.length ? [{ name: QUALITY_PREFIX + name, ...column }] : [];
    });
  }

  #card(panel) {
    if (!this.#cards.has(panel.title)) {
      const section = document.createElement("section");
      section.className = "panel";
      const title = document.createElement("h3");
      title.textContent = panel.title;
      const legend = document.createElement("ul");
      legend.className = "legend";
      const plot = document.createElement("div");
      plot.className = "plot";
      plot.setAttribute("role", "img");
      plot.setAttribute("aria-label", `${panel.title} over images seen`);
      section.append(title, legend, plot);
      this.root.append(section);
      this.#cards.set(panel.title, { plot, legend });
    }
    return this.#cards.get(panel.title);
  }
}

function trace(panel, { x, y }, color) {
  const mode = panel.marked || x.length === 1 ? "lines+markers" : "lines";
  // Copies: plotly takes an array that is the same object for one that has not changed.
  return { type: "scatter", mode, x: [...x], y: [...y], line: { color, width: 1.6 }, marker: { color, size: 6 } };
}

function layout(panel, style) {
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line") };
  return {
    height: 200,
    margin: { l: 48, r: 8, t: 8, b: 28 },
    showlegend: false,
    uirevision: "kept", // a zoom survives the next tick
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: colour("--sans"), size: 11, color: colour("--faint") },
    hovermode: "x unified",
    hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--text") } },
    xaxis: { ...axis, tickformat: "~s", hoverformat: ",.0f", nticks: 6 },
    yaxis: { ...axis, tickformat: "~g", nticks: 5, rangemode: panel.fromZero ? "tozero" : "normal" },
  };
}

function significant(value) {
  if (value === undefined) return "–";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return value === 0 || Math.abs(value) >= 0.001 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}
