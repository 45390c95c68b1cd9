// Makes one element like another, touching only what differs, so that focus, selection and transitions survive.

export function morph(from, to) {
  if (from.isEqualNode(to)) return;
  matchAttributes(from, to);
  const keyed = new Map([...from.children].filter(keyOf).map((child) => [keyOf(child), child]));
  let place = from.firstChild;
  for (const wanted of to.childNodes) {
    const found = keyOf(wanted) ? keyed.get(keyOf(wanted)) : isAlike(place, wanted) ? place : undefined;
    if (!found) {
      from.insertBefore(document.importNode(wanted, true), place);
      continue;
    }
    if (found === place) place = place.nextSibling;
    else from.insertBefore(found, place);
    if (found.nodeType === Node.ELEMENT_NODE) morph(found, wanted);
    else if (found.data !== wanted.data) found.data = wanted.data;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function keyOf(node) {
  return node.dataset?.key;
}

function isAlike(node, wanted) {
  return node && node.nodeName === wanted.nodeName && !keyOf(node);
}

function matchAttributes(from, to) {
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
}
