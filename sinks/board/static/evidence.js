// A defect's page: the marks over the untouched picture, and a box around what the model missed, by pointer or by keys.
"use strict";
(() => {
  const stage = document.getElementById("stage");
  if (!stage) return;
  const svg = document.getElementById("marks");
  const drawn = document.getElementById("drawn");
  const form = document.getElementById("missed-form");
  const draw = document.getElementById("draw");
  const toggle = document.getElementById("toggle-marks");
  const width = Number(svg.dataset.width), height = Number(svg.dataset.height);

  toggle.addEventListener("click", () => {
    const shown = stage.classList.toggle("plain-picture") === false;
    toggle.setAttribute("aria-pressed", String(shown));
  });
  if (!draw) return;

  const inputs = Object.fromEntries(["x1", "y1", "x2", "y2"].map((name) => [name, form.elements[name]]));
  const within = (value, most) => Math.min(Math.max(value, 0), most);
  const box = () => Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, Number(input.value)]));

  function show() {
    const { x1, y1, x2, y2 } = box();
    drawn.setAttribute("x", Math.min(x1, x2));
    drawn.setAttribute("y", Math.min(y1, y2));
    drawn.setAttribute("width", Math.abs(x2 - x1));
    drawn.setAttribute("height", Math.abs(y2 - y1));
    drawn.removeAttribute("hidden");
  }

  function set(x1, y1, x2, y2) {
    inputs.x1.value = Math.round(within(Math.min(x1, x2), width));
    inputs.y1.value = Math.round(within(Math.min(y1, y2), height));
    inputs.x2.value = Math.round(within(Math.max(x1, x2), width));
    inputs.y2.value = Math.round(within(Math.max(y1, y2), height));
    show();
  }

  function begin() {
    form.hidden = false;
    draw.setAttribute("aria-expanded", "true");
    stage.classList.add("drawing");
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("aria-describedby", "draw-help");
    for (const [name, input] of Object.entries(inputs)) input.max = name.startsWith("x") ? width : height;
    if (!inputs.x1.value) set(width * 0.4, height * 0.4, width * 0.6, height * 0.6);
    show();
    svg.focus();
  }

  function end() {
    form.hidden = true;
    draw.setAttribute("aria-expanded", "false");
    stage.classList.remove("drawing");
    svg.removeAttribute("tabindex");
    drawn.setAttribute("hidden", "");
    draw.focus();
  }

  const drawing = () => !form.hidden;
  draw.addEventListener("click", () => (drawing() ? end() : begin()));
  document.getElementById("stop-drawing").addEventListener("click", end);
  form.addEventListener("input", show);

  // the pointer's place in the pixels of the picture
  function place(event) {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return [at.x, at.y];
  }

  let from = null;
  svg.addEventListener("pointerdown", (event) => {
    if (!drawing()) return;
    from = place(event);
    svg.setPointerCapture(event.pointerId);
    event.preventDefault();
    svg.focus();
  });
  svg.addEventListener("pointermove", (event) => {
    if (from) set(...from, ...place(event));
  });
  for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, () => { from = null; });

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  svg.addEventListener("keydown", (event) => {
    if (!drawing()) return;
    if (event.key === "Escape") return end();
    if (event.key === "Enter") return form.elements.label.focus();
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    const step = event.ctrlKey ? 1 : Math.max(1, Math.round(Math.min(width, height) / 50));
    const [dx, dy] = [arrow[0] * step, arrow[1] * step];
    const { x1, y1, x2, y2 } = box();
    if (event.shiftKey) set(x1, y1, Math.max(x1 + 1, x2 + dx), Math.max(y1 + 1, y2 + dy));
    else if (x1 + dx >= 0 && x2 + dx <= width && y1 + dy >= 0 && y2 + dy <= height) set(x1 + dx, y1 + dy, x2 + dx, y2 + dy);
  });
})();
