// Which series are drawn together, and what they are called.

const PANELS = [
  { title: "Losses", names: { loss_g: "generator", loss_d: "discriminator" } },
  { title: "Logits", names: { logit_real: "real", logit_fake: "generated" } },
  { title: "Fréchet distance", names: { fid: "FID" }, marked: true },
  { title: "Images per second", names: { images_per_second: "images/s" }, fromZero: true },
  { title: "Gradient norms", names: { grad_norm_g: "generator", grad_norm_d: "discriminator" } },
  { title: "Discriminator accuracy", names: { d_accuracy: "accuracy" } },
  { title: "Diversity", names: { diversity: "generated against real" } },
  { title: "Learning rates", names: { lr_g: "generator", lr_d: "discriminator" }, fromZero: true },
];
const REST = "Penalties";

// The panels for these columns (Map of name to values), those without a column left out.
export function panelsFor(columns) {
  const known = new Set(PANELS.flatMap((panel) => Object.keys(panel.names)));
  const rest = [...columns.keys()].filter((name) => !known.has(name)).sort();
  const penalties = { title: REST, names: Object.fromEntries(rest.map((name) => [name, name.replaceAll("_", " ")])) };
  return [...PANELS, penalties].filter((panel) => Object.keys(panel.names).some((name) => columns.has(name)));
}
