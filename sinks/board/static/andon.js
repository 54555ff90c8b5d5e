// The andon: changed tiles come with the news and are written in place, small pictures are asked for one after the
// other while somebody can see them, and a wall screen goes on to its next line.
"use strict";
(() => {
  const PICTURE_MS = 500;      // between two requests for a small picture; the board draws each frame once for everybody
  const AGAIN_MS = 2000;       // between two pictures of one camera
  const board = window.board, body = document.body;
  const section = () => document.getElementById("tiles");
  const words = (name) => JSON.parse(section().dataset[name]);
  board.listen("tiles");

  // ---- tiles
  body.addEventListener("news:tiles", (event) => {
    if (!section()) return;
    const mine = section().dataset.whole !== undefined;
    const lacking = event.detail.tiles.filter((news) => !write(news)).length && mine;
    if (event.detail.anew || lacking) section().dispatchEvent(new CustomEvent("anew"));
    board.watch();
  });
  function write(news) {
    const tile = document.getElementById(`tile-${news.id}`);
    if (!tile) return false;
    if (tile.dataset.kind !== news.kind) {
      const classes = words("classes");
      tile.classList.replace(`on-${classes[tile.dataset.kind]}`, `on-${classes[news.kind]}`);
      tile.dataset.kind = news.kind;
    }
    moment(tile, "freshAt", news.kind === "off" ? null : news.heard_at);
    moment(tile, "frameAt", news.frame_at);
    say(tile, "symbol", news.symbol);
    say(tile, "state", words("states")[news.state] || news.state);
    say(tile, "verdict", words("verdicts")[news.verdict]);
    part(tile, "verdict").dataset.verdict = news.verdict;
    say(tile, "detail", news.detail);
    part(tile, "detail").hidden = !news.detail;
    return true;
  }
  const part = (tile, name) => tile.querySelector(`[data-part="${name}"]`);
  function say(tile, name, text) {
    const place = part(tile, name);
    if (place.textContent !== text) place.textContent = text;
  }
  function moment(tile, name, at) {
    if (at) tile.dataset[name] = at; else delete tile.dataset[name];
    if (name === "freshAt" && at && !tile.dataset.freshFor) tile.dataset.freshFor = tile.parentElement.dataset.freshFor;
  }

  // ---- ages and the clock
  function ages() {
    const now = board.serverNow();
    for (const tile of document.querySelectorAll("[data-frame-at]")) {
      const ageS = Math.max(0, (now - Date.parse(tile.dataset.frameAt)) / 1000);
      say(tile, "age", section().dataset.textAge.replace("{s}", ageS < 10 ? ageS.toFixed(1) : Math.floor(ageS)));
    }
    for (const place of document.querySelectorAll("[data-age-of]")) {
      const text = place.dataset.textAgo.replace("{s}", span((now - Date.parse(place.dataset.ageOf)) / 1000));
      if (place.textContent !== text) place.textContent = text;
    }
    for (const clock of document.querySelectorAll("[data-clock]")) {
      const at = new Date(now), text = board.local(at);
      if (clock.textContent !== text) { clock.textContent = text; clock.dateTime = at.toISOString(); }
    }
  }
  function span(seconds) {
    const s = Math.max(0, Math.floor(seconds));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    return s < 86400 ? `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min` : `${Math.floor(s / 86400)} d`;
  }

  // ---- small pictures: of tiles in sight whose camera has a newer frame, the longest unseen first
  let loading = false;
  function picture() {
    if (loading || document.hidden || document.documentElement.hasAttribute("data-stopped")) return;
    const now = performance.now(), due = [...document.querySelectorAll("[data-small]")].filter((image) => {
      const tile = image.closest(".tile"), at = tile.getBoundingClientRect();
      const inSight = at.bottom > 0 && at.top < innerHeight && image.parentElement.offsetParent;
      return inSight && tile.dataset.frameAt && image.frameAt !== tile.dataset.frameAt && now - (image.askedAt || -1e9) > AGAIN_MS;
    });
    due.sort((one, other) => (one.askedAt || 0) - (other.askedAt || 0));
    if (due.length) load(due[0], now);
  }
  function load(image, now) {
    const next = new Image();
    image.askedAt = now;
    image.frameAt = image.closest(".tile").dataset.frameAt;
    loading = true;
    next.onload = () => { image.src = next.src; image.hidden = false; loading = false; };
    next.onerror = () => { loading = false; };
    next.src = `${image.dataset.small}?at=${encodeURIComponent(image.frameAt)}`;
  }

  // ---- a picture that isn't there leaves no broken sign
  // (it is stored within moments of its event, so it is asked for again)
  const RETRIES = 10;
  function hide(image) {
    if (!("mayFail" in image.dataset)) return;
    image.hidden = true;
    image.retries = (image.retries || 0) + 1;
    if (image.retries > RETRIES) return;
    const again = image.src.replace(/[?]again=.*/, "") + `?again=${image.retries}`;
    setTimeout(() => { if (image.isConnected) { image.onload = () => { image.hidden = false; }; image.src = again; } }, AGAIN_MS);
  }
  document.addEventListener("error", (event) => { if (event.target instanceof HTMLImageElement) hide(event.target); }, true);
  for (const image of document.querySelectorAll("[data-may-fail]")) if (image.complete && !image.naturalWidth) hide(image);

  // ---- a wall screen
  async function turn() {
    const andon = document.getElementById("andon");
    if (!andon.dataset.next) return;
    const address = new URL(location.href);
    address.searchParams.set("group", andon.dataset.next);
    try {
      const answer = await fetch(address, { signal: AbortSignal.timeout(5000) });
      if (answer.ok) show(andon, new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("andon"));
    } catch { /* the board does not answer: the page says so by itself, and stays */ }
    setTimeout(turn, 1000 * Number(document.getElementById("andon").dataset.every));
  }
  function show(before, after) {
    if (!after) return;
    before.replaceWith(after);
    if (window.htmx) htmx.process(after);
    board.times(document);
    ages();
  }

  const first = document.getElementById("andon");
  if (first && first.dataset.next) setTimeout(turn, 1000 * Number(first.dataset.every));
  ages();
  setInterval(ages, 500);
  setInterval(picture, PICTURE_MS);
})();
