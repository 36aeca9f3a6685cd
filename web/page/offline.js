// Offline once loaded: registers the service worker, and says when it has a newer version of the page.
import { $ } from "./dom.js";

export async function workOffline() {
  if (!navigator.serviceWorker) return;
  try {
    const had = navigator.serviceWorker.controller !== null;
    const registration = await navigator.serviceWorker.register("./sw.js", { updateViaCache: "none" });
    const offer = (worker) => {
      if (!worker || !navigator.serviceWorker.controller) return;
      $("update").hidden = false;
      $("reload").onclick = () => worker.postMessage("take over");
    };
    offer(registration.waiting);
    registration.addEventListener("updatefound", () => {
      const worker = registration.installing;
      worker.addEventListener("statechange", () => worker.state === "installed" && offer(worker));
    });
    // The first one takes over a page that is of its own version; a later one only when asked, with a fresh page.
    navigator.serviceWorker.addEventListener("controllerchange", () => had && location.reload());
  } catch (error) {
    console.info(`not available offline: ${error.message}`);
  }
}
