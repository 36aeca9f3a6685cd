// Keeps one whole version of the page for when there is no network. files.js, which is written when the site is put together, names
// the files and has a version that follows from their contents: another version is another cache, filled from the network before
// it is used, and the older one is deleted. So a page never mixes two versions, and none stays for ever.
importScripts("files.js");

const { version, files } = self.SITE;
const name = `nonlin-${version}`;

addEventListener("install", (event) => {
  const fresh = files.map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(caches.open(name).then((cache) => cache.addAll(fresh)));
});

addEventListener("activate", (event) => {
  const clean = async () => {
    const old = (await caches.keys()).filter((key) => key.startsWith("nonlin-") && key !== name);
    await Promise.all(old.map((key) => caches.delete(key)));
    await clients.claim();
  };
  event.waitUntil(clean());
});

addEventListener("message", ({ data }) => data === "take over" && skipWaiting());

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== location.origin) return;
  const answer = async () => {
    const cache = await caches.open(name);
    return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
  };
  event.respondWith(answer());
});
