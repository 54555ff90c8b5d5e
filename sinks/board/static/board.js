// What every page does: it reads the stream of news, watches that it is alive, shows times in the reader's zone, and
// moves nothing under a finger. No framework: htmx fetches fragments, and this file tells it when.
"use strict";
(() => {
  const STOPPED_MS = 4000;      // without a beat, which comes each second
  const REOPEN_MS = 8000;       // without a beat: open the stream anew, in case the connection hangs
  const HIDDEN_MS = 20000;      // a page in the background closes its stream: browsers allow six to one address
  const HOLD_MS = 400;          // after a finger has left the screen
  const body = document.body, root = document.documentElement;

  // The board's time goes on by this page's own monotonic clock: the PC's clock may be wrong, or be set.
  let serverAt = Date.parse(body.dataset.now), seenAt = performance.now();
  const serverNow = () => serverAt + (performance.now() - seenAt);
  let beatAt = performance.now();
  let last = body.dataset.last || "", source = null, openedAt = 0, hiddenTimer = 0;

  // ---- the stream of news
  function open() {
    if (!body.dataset.events) return;
    close();
    const address = new URL(body.dataset.events, location.href);
    if (last) address.searchParams.set("last", last);
    openedAt = performance.now();
    source = new EventSource(address);
    for (const topic of topics) source.addEventListener(topic, take);
  }
  function close() { if (source) source.close(); source = null; }

  const topics = new Set(["hello", "reset", "beat", "cameras", "defects", "alarms"]);
  // A page's own script names the topics that it wants beside those: `board.listen("tiles")`.
  function listen(topic) {
    if (topics.has(topic)) return;
    topics.add(topic);
    if (source) source.addEventListener(topic, take);
  }
  for (const part of document.querySelectorAll("[hx-trigger*='news:']")) {
    for (const [, topic] of part.getAttribute("hx-trigger").matchAll(/news:([^\s,]+)/g)) listen(topic);
  }

  function take(message) {
    if (message.lastEventId) last = message.lastEventId;
    const data = JSON.parse(message.data);
    if (message.type === "beat") return beat(data);
    if (message.type === "hello") return;
    news(message.type, data);
  }

  // ---- nothing moves under a finger: news wait until it has left
  let held = 0;
  const waiting = new Map();
  function news(topic, data) {
    if (held) waiting.set(topic, data);
    else body.dispatchEvent(new CustomEvent(`news:${topic}`, { detail: data }));
  }
  function release() {
    clearTimeout(held);
    held = setTimeout(() => {
      held = 0;
      const late = [...waiting];
      waiting.clear();
      for (const [topic, data] of late) news(topic, data);
    }, HOLD_MS);
  }
  addEventListener("pointerdown", () => { clearTimeout(held); held = setTimeout(release, 10000); }, { capture: true, passive: true });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { if (held) release(); }, { capture: true, passive: true });

  // ---- is it alive?
  function beat(data) {
    serverAt = Date.parse(data.at);
    seenAt = beatAt = performance.now();
    const faults = Object.values(data.faults || {});
    show("faults", faults.length ? body.dataset.textFault.replace("{what}", faults.join("; ")) : "");
    watch();
  }
  function show(id, words) {
    const banner = document.getElementById(id);
    if (!banner) return;
    if (banner.textContent !== words) banner.textContent = words;
    banner.hidden = !words;
  }
  let wasStopped = false;
  function watch() {
    if (!body.dataset.events) return;
    const silentMs = performance.now() - beatAt, stopped = silentMs > STOPPED_MS;
    root.toggleAttribute("data-stopped", stopped);
    show("stopped", stopped ? body.dataset.textStopped.replace("{s}", Math.floor(silentMs / 1000)) : "");
    if (wasStopped && !stopped) news("reset", {});   // what was missed is loaded, whatever the stream replays
    wasStopped = stopped;
    if (silentMs > REOPEN_MS && performance.now() - openedAt > REOPEN_MS && !document.hidden) open();
    for (const part of document.querySelectorAll("[data-fresh-at]")) freshen(part);
  }
  function freshen(part) {
    const ageS = (serverNow() - Date.parse(part.dataset.freshAt)) / 1000;
    const stale = ageS > Number(part.dataset.freshFor);
    part.classList.toggle("stale", stale);
    const label = part.querySelector("[data-fresh-text]");
    if (!label) return;
    label.hidden = !stale;
    const words = !stale ? "" : ageS < 3600
      ? body.dataset.textNoData.replace("{s}", Math.floor(ageS))
      : body.dataset.textNoDataLong.replace("{time}", local(new Date(part.dataset.freshAt)));
    if (label.textContent !== words) label.textContent = words;
  }

  // ---- times in the reader's zone
  const language = root.lang || undefined;
  const clock = new Intl.DateTimeFormat(language, { timeStyle: "medium" });
  const full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  function local(at) {
    return at.toDateString() === new Date(serverNow()).toDateString() ? clock.format(at) : full.format(at);
  }
  function times(within) {
    for (const time of within.querySelectorAll("time[datetime]")) {
      const at = new Date(time.getAttribute("datetime"));
      if (Number.isNaN(at.getTime())) continue;
      const words = local(at);
      if (time.textContent !== words) { time.textContent = words; time.title = full.format(at); }
    }
  }

  // ---- htmx: the CSRF token goes along, and a fragment that can't be loaded says so
  document.addEventListener("htmx:config:request", (event) => {
    const token = document.querySelector("meta[name='csrf-token']");
    if (token) event.detail.ctx.request.headers["X-CSRF-Token"] = token.content;
  });
  const target = (event) => event.detail.ctx && event.detail.ctx.target instanceof Element ? event.detail.ctx.target : event.target;
  const failed = (event) => target(event).setAttribute("data-failed", body.dataset.textFailed);
  document.addEventListener("htmx:response:error", failed);
  document.addEventListener("htmx:error", failed);
  document.addEventListener("htmx:after:swap", (event) => {
    target(event).removeAttribute("data-failed");
    times(document);
    watch();
  });

  // ---- begin
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(close, HIDDEN_MS);
    else if (!source) { open(); watch(); }
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  window.board = { listen, serverNow, local, times, watch };
  times(document);
  open();
  setInterval(watch, 500);
})();
