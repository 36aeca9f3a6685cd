// The package in a worker, one call at a time, each with a time limit. A worker that does not answer in time is ended, and
// another is started for the calls behind it: no chain can hold the page up.

export class Core {
  #limit;
  #worker = null;
  #isReady = false;
  #timer = null;
  #calls = [];
  #sent = false;
  #count = 0;

  /** Milliseconds that a call may take, without those that loading takes. */
  constructor(limit) {
    this.#limit = limit;
  }

  /** Calls a function of the package, by its name. */
  call(name, ...values) {
    return new Promise((resolve, reject) => {
      this.#calls.push({ id: this.#count++, name, values, resolve, reject });
      this.#next();
    });
  }

  #start() {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => this.#heard(data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#fail(`the worker stopped: ${event.message || "its files could not be loaded"}`);
    });
    this.#worker = worker;
  }

  #next() {
    if (!this.#calls.length || this.#sent) return;
    if (!this.#worker) this.#start();
    if (!this.#isReady) return;
    const { id, name, values } = this.#calls[0];
    this.#sent = true;
    this.#timer = setTimeout(() => this.#fail(`stopped: it took longer than ${this.#limit / 1000} seconds`), this.#limit);
    try {
      this.#worker.postMessage({ id, name, values });
    } catch (error) {
      this.#heard({ id, error: error.message });
    }
  }

  #heard({ isReady, id, value, error }) {
    if (isReady) {
      this.#isReady = true;
    } else {
      const call = this.#done();
      if (call.id !== id) throw new Error("the worker answered another call");
      if (error === undefined) call.resolve(value);
      else call.reject(new Error(error));
    }
    this.#next();
  }

  /** Takes the call that was sent off the list. */
  #done() {
    clearTimeout(this.#timer);
    this.#sent = false;
    return this.#calls.shift();
  }

  #fail(message) {
    this.#worker.terminate();
    this.#worker = null;
    this.#isReady = false;
    this.#done()?.reject(new Error(message));
    this.#next();
  }
}
