// What is wrong with the page that is open: a map from the name of a check to a list of sentences.
// Nothing here knows the words of the page; `labels` are texts of the user, shown as they are.
(labels) => {
  const found = {};
  const report = (check, problem) => (found[check] ??= []).push(problem);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const text = (node) => node.textContent.trim().replace(/\s+/g, " ");
  const shown = (text) => (text.length > 60 ? `${text.slice(0, 57)}...` : text);
  const name = (node) => `<${node.localName}> '${shown(text(node))}'`;
  const HIDDEN = "style, script, template, annotation";

  // The text nodes a reader sees or hears, with the elements they stand in.
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.data.trim() && !node.parentElement.closest(HIDDEN)) texts.push(node);
  }

  // Words ------------------------------------------------------------------------------------
  // Typographic marks stand for what was typed, so that a label is found however it is set.
  const MARKS = { "“": '"', "”": '"', "‘": "'", "’": "'", "–": "--", "…": "..." };
  const typed = (words) => words.replace(/[“”‘’–…]/g, (mark) => MARKS[mark]);
  const without = (words) => labels.reduce((rest, label) => rest.replaceAll(label, " "), typed(words));
  const BLOCKS = "p, li, td, th, dt, dd, h1, h2, h3, h4, h5, h6, figcaption, caption, pre, div, body";
  const paragraphs = new Map();
  for (const node of texts) {
    if (node.parentElement.closest("math")) continue;
    const block = node.parentElement.closest(BLOCKS);
    paragraphs.set(block, (paragraphs.get(block) ?? "") + node.data.replace(/\s+/g, " "));
  }
  for (const words of paragraphs.values()) {
    const own = without(words);
    if (words.includes("?@") || /(^|[\s([])@(fig|tbl|eq|sec)-/.test(own))
      report("references", shown(words));
    const odd = own.match(/np\.float64|\b(nan|NaN|None|NaT|undefined|inf)\b/);
    if (odd) report("missing", `${odd[0]} in '${shown(words)}'`);
    const raw = own.match(/\*\*|\]\(|\{#|:::|\{\.|\{\{<|```|\\[_*|<#$]|(^|\s)\$[\w\\]/);
    if (raw) report("markdown", `${raw[0]} in '${shown(words)}'`);
  }

  // Images -----------------------------------------------------------------------------------
  for (const image of all("img")) {
    const alt = image.getAttribute("alt") ?? "";
    if (!alt.trim()) report("alt", `no alt text: ${shown(image.src)}`);
    if (/np\.float64|\b(nan|NaN|None)\b/.test(without(alt))) report("missing", `alt '${alt}'`);
    if (!image.complete || image.naturalWidth === 0) report("images", `broken: '${shown(alt)}'`);
  }
  for (const figure of all("figure")) {
    if (!figure.querySelector("img, svg, table")) report("images", `empty: ${name(figure)}`);
    if (!text(figure.querySelector("figcaption, caption") ?? figure.cloneNode(false)))
      report("captions", `no caption: ${name(figure)}`);
  }
  for (const svg of all("svg[role=img]"))
    if (!svg.getAttribute("aria-label") && !svg.querySelector("title")) report("alt", "an inline svg");

  // Structure --------------------------------------------------------------------------------
  const headings = all("h1, h2, h3, h4, h5, h6");
  const levels = headings.map((heading) => Number(heading.localName[1]));
  if (levels.filter((level) => level === 1).length !== 1) report("headings", "not one h1");
  if (levels[0] !== 1) report("headings", "the first heading is no h1");
  headings.forEach((heading, i) => {
    if (i && levels[i] > levels[i - 1] + 1) report("headings", `skips a level: ${name(heading)}`);
    if (!text(heading)) report("headings", `empty ${name(heading)}`);
  });
  if (!document.documentElement.lang) report("headings", "the page has no language");
  if (!document.title.trim()) report("headings", "the page has no title");
  for (const table of all("table")) {
    const heads = [...table.querySelectorAll("thead th")];
    if (!heads.length || heads.some((head) => !text(head))) report("tables", `header: ${name(table)}`);
    const box = table.closest("figure");
    if (!text(table.caption ?? box?.querySelector("figcaption") ?? table.cloneNode(false)))
      report("captions", `no caption: ${name(table)}`);
    for (const row of table.rows)
      if (heads.length && row.cells.length !== heads.length) report("tables", `ragged row: ${name(row)}`);
  }
  const seen = new Set();
  for (const { id } of all("[id]")) {
    if (seen.has(id)) report("anchors", `two elements are called '${id}'`);
    seen.add(id);
  }
  for (const link of all("a[href]")) {
    const target = link.getAttribute("href");
    if (target.startsWith("#") && target !== "#" && !seen.has(decodeURIComponent(target.slice(1))))
      report("anchors", `${target} of ${name(link)} leads nowhere`);
    if (!text(link) && !link.querySelector("img[alt]") && !link.ariaLabel && !link.closest(".sourceCode"))
      report("anchors", `a link without text: ${target}`);
  }

  // Layout -----------------------------------------------------------------------------------
  const root = document.documentElement;
  const isBox = (node, axis) => node !== root && node !== document.body
    && getComputedStyle(node)[axis] !== "visible";
  if (root.scrollWidth > root.clientWidth) {
    const wide = all("body *").filter((node) => node.getBoundingClientRect().right > root.clientWidth + 1);
    report("width", `${root.scrollWidth} px wide: ${wide.slice(0, 3).map(name).join(", ")}`);
  }
  // A box that does not scroll must not be smaller than what it holds.
  for (const box of new Set(texts.map((node) => node.parentElement))) {
    for (let node = box; node && node !== document.body; node = node.parentElement) {
      const style = getComputedStyle(node);
      const across = ["hidden", "clip"].includes(style.overflowX) && node.scrollWidth > node.clientWidth + 1;
      const down = ["hidden", "clip"].includes(style.overflowY) && node.scrollHeight > node.clientHeight + 1;
      if ((across || down) && style.display !== "inline" && node.clientWidth > 1)
        report("clipped", `${name(node)} hides ${across ? "width" : "height"}`);
    }
  }
  // Text that sticks out of the window, and that no box lets the reader scroll to.
  const range = document.createRange();
  for (const node of texts) {
    let box = node.parentElement;
    while (box && !isBox(box, "overflowX")) box = box.parentElement;
    if (box || node.parentElement.closest(".skip-link, #quarto-skip, .visually-hidden")) continue;
    range.selectNodeContents(node);
    for (const { left, right, width } of range.getClientRects())
      if (width && (left < -1 || right > root.clientWidth + 1)) {
        report("clipped", `'${shown(node.data.trim())}' sticks out`);
        break;
      }
  }
  return {
    found,
    links: all("a[href]").map((link) => link.getAttribute("href")),
  };
}
