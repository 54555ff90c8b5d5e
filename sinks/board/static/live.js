// A camera's live view. A message names a frame and what was found on it; the boxes are drawn when that frame's picture
// is there, both in one go, so they always belong to each other. Meanwhile newer frames replace the one that waits.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const AGAIN_MS = 1000;
  const board = window.board, figure = document.querySelector(".live");
  const picture = figure.querySelector("img"), boxes = figure.querySelector("svg");
  const place = (name) => figure.querySelector(`[data-live="${name}"]`);
  let waiting = null, loading = false, held = false, shown = null;
  board.listen(figure.dataset.topic);

  document.body.addEventListener(`news:${figure.dataset.topic}`, (event) => { waiting = event.detail; next(); });
  async function next() {
    if (loading || held || !waiting || document.hidden) return;
    const frame = waiting;
    waiting = null;
    loading = true;
    try {
      show(frame, await loaded(frame.picture));
    } catch (why) {
      lost(why);
    }
    loading = false;
    next();
  }
  async function loaded(address) {
    const image = new Image();
    image.src = address;
    try {
      await image.decode();
    } catch {
      const answer = await fetch(address);
      throw answer.ok ? "" : (await answer.text()).match(/data-problem="([^"]*)"/)?.[1] || answer.status;
    }
    return image;
  }

  function show(frame, image) {
    shown = frame;
    picture.src = image.src;
    figure.dataset.frame = frame.frame;
    figure.classList.add("has-picture");
    draw(frame);
    place("lost").hidden = true;
    say("at", board.local(new Date(frame.at)));
    say("latency", figure.dataset.textLatency.replace("{s}", frame.latency_s.toFixed(2)));
    say("found", frame.boxes.length ? figure.dataset.textFound.replace("{n}", frame.boxes.length) : figure.dataset.textNone);
  }
  function lost(why) {
    say("lost", figure.dataset.textLost.replace("{why}", why));
    place("lost").hidden = false;
  }
  function say(name, text) {
    if (place(name).textContent !== text) place(name).textContent = text;
  }

  // ---- boxes, in the frame's own pixels
  function draw(frame) {
    const thick = Math.max(2, Math.min(frame.width, frame.height) / 240), size = Math.max(12, frame.height / 28);
    boxes.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
    boxes.dataset.frame = frame.frame;
    boxes.replaceChildren(...frame.boxes.flatMap((found) => [...outline(found, thick), ...points(found, thick), ...label(found, size)]));
  }
  function outline(found, thick) {
    const [x1, y1, x2, y2] = found.box;
    const name = found.outline ? "polygon" : "rect";
    const shape = found.outline ? { points: found.outline.map((point) => point.join(",")).join(" ") }
      : { x: x1, y: y1, width: x2 - x1, height: y2 - y1 };
    return [element(name, { ...shape, class: "box-rim", "stroke-width": 2 * thick }),
            element(name, { ...shape, class: "box", "stroke-width": thick })];
  }
  function points(found, thick) {
    return (found.points || []).map(([x, y]) => element("circle", { cx: x, cy: y, r: 1.5 * thick, class: "box-point" }));
  }
  function label(found, size) {
    const [x1, y1, , y2] = found.box, above = y1 > 1.3 * size;
    const text = element("text", { x: x1, y: above ? y1 - .35 * size : y2 + size, "font-size": size, class: "box-label" });
    text.textContent = `${found.label} ${Math.round(100 * found.confidence)} %`;
    return [text];
  }
  function element(name, attributes) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  // ---- controls
  document.getElementById("show-boxes").addEventListener("change", (event) => boxes.classList.toggle("hidden", !event.target.checked));
  const hold = document.getElementById("hold");
  hold.addEventListener("click", () => {
    held = !held;
    hold.setAttribute("aria-pressed", String(held));
    if (!held) next();
  });
  document.addEventListener("visibilitychange", next);

  waiting = JSON.parse(figure.dataset.first);
  next();
  setInterval(() => { if (!loading && !shown) next(); }, AGAIN_MS);
})();
