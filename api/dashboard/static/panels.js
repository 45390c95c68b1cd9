// Which figures are drawn together. Their titles come from the service's table of figures.

// Figures of evaluations have names of their own, since one of training may have the same.
export const QUALITY_PREFIX = "quality.";

const QUALITY = [
  { names: ["kid"] },
  { names: ["fd64"] },
  { names: ["fid"] },
  { title: "Precision and recall", names: ["precision", "recall"] },
  { title: "Density and coverage", names: ["density", "coverage"] },
  { title: "Distance to the nearest image", names: ["distance_train", "distance_holdout"] },
].map((panel) => ({ ...panel, names: panel.names.map((name) => QUALITY_PREFIX + name), marked: true }));

const PANELS = [
  { title: "Losses", names: ["loss_g", "loss_d"] },
  { title: "Logits", names: ["logit_real", "logit_fake"] },
  ...QUALITY,
  { names: ["images_per_second"], fromZero: true },
  { title: "Gradient norms", names: ["grad_norm_g", "grad_norm_d"] },
  { names: ["d_accuracy"] },
  { names: ["diversity"] },
  { title: "Learning rates", names: ["lr_g", "lr_d"], fromZero: true },
  { title: "Autoencoder", names: ["reconstruction", "kl"] },
];
const REST = "Penalties";

// The panels for these columns (Map of name to values), without those that have no column.
export function panelsFor(columns, figures) {
  const known = new Set(PANELS.flatMap((panel) => panel.names));
  const unknown = [...columns.keys()].filter((name) => !known.has(name)).sort();
  const [others, rest] = [true, false].map((is) => unknown.filter((name) => name.startsWith(QUALITY_PREFIX) === is));
  return [...PANELS, { title: REST, names: rest }, ...others.map((name) => ({ names: [name], marked: true }))]
    .filter((panel) => panel.names.some((name) => columns.has(name)))
    .map((panel) => ({ ...panel, title: panel.title ?? heading(figures[panel.names[0]] ?? { title: label(panel.names[0], figures) }) }));
}

export function label(name, figures) {
  return figures[name]?.title ?? name.replace(QUALITY_PREFIX, "").replaceAll("_", " ");
}

function heading({ title, unit }) {
  return title[0].toUpperCase() + title.slice(1) + (unit ? ` (${unit})` : "");
}
