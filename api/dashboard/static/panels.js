// Which figures are drawn together. Their titles come from the service's table of figures.

const PANELS = [
  { title: "Losses", names: ["loss_g", "loss_d"] },
  { title: "Logits", names: ["logit_real", "logit_fake"] },
  { names: ["fid"], marked: true },
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
  const rest = [...columns.keys()].filter((name) => !known.has(name)).sort();
  return [...PANELS, { title: REST, names: rest }]
    .filter((panel) => panel.names.some((name) => columns.has(name)))
    .map((panel) => ({ ...panel, title: panel.title ?? heading(figures[panel.names[0]]) }));
}

export function label(name, figures) {
  return figures[name]?.title ?? name.replaceAll("_", " ");
}

function heading({ title, unit }) {
  return title[0].toUpperCase() + title.slice(1) + (unit ? ` (${unit})` : "");
}
